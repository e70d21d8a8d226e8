"""`space_details`: the Genie spaces, asked daily, and the judge of what may be read."""

from genie_obs.runs.dataset import Dataset

# The step of `messages` fills the table: it asks the same workspaces, and needs the answers first.
DATASET = Dataset(name="spaces", title="Asking for spaces")

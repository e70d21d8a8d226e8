"""The table `space_details`: the Genie spaces, asked for daily. They decide which messages may be read."""

from genie_obs.runs.dataset import Dataset

# The step of `messages` fills the table, because it asks the same workspaces and needs the spaces first.
DATASET = Dataset(name="spaces", title="Asking for spaces")

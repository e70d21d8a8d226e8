"""How people phrase a question."""

# By shape of a question: how people ask it first, and how they ask it after another question.
OPENING = {
    "total": (
        "What was {metric} {period}?",
        "{metric} {period}",
        "can you tell me the {metric} {period}",
        "Total {metric} {period} please",
    ),
    "by": (
        "Show me {metric} by {dimension} {period}",
        "{metric} per {dimension} {period}",
        "How does {metric} split by {dimension} {period}?",
    ),
    "top": (
        "Top 5 {plural} by {metric} {period}",
        "Which 5 {plural} had the highest {metric} {period}?",
        "best {plural} for {metric} {period}",
    ),
    "trend": (
        "How has {metric} developed month by month {period}?",
        "monthly {metric} {period}",
        "Plot {metric} over time {period}",
    ),
    "compare": (
        "Compare {metric} {period} with the same period a year ago",
        "{metric} {period} vs prior year",
        "Is {metric} {period} up or down on last year?",
    ),
    "filter": (
        "What was {metric} for {value} {period}?",
        "{metric} {value} {period}",
        "How much {metric} did we have for {value} {period}?",
    ),
    "share": ("What share of {metric} comes from {value} {period}?", "% of {metric} from {value} {period}"),
    "drop": (
        "Which {plural} had a drop of more than 10% in {metric} {period}?",
        "Where did {metric} go down most {period}, by {dimension}?",
    ),
}
FOLLOW_UP = {
    "total": ("and in total?", "just the total {period}", "same question for {period}"),
    "by": ("break it down by {dimension}", "and by {dimension}?", "same but per {dimension}"),
    "top": ("only the top 5", "top 5 {plural} please", "which {plural} are behind that?"),
    "trend": ("as a monthly trend", "show that over time", "can you make this a line chart by month"),
    "compare": ("compare with last year", "how does that compare to the same period a year ago?", "vs prior year"),
    "filter": ("only for {value}", "and {value}?", "filter on {value}"),
    "share": ("what share is {value}?", "as % of total for {value}"),
    "drop": ("where did it drop?", "which {plural} went down?"),
}

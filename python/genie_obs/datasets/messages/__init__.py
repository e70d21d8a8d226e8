"""`message_details`: what each message asks and answers, from the Genie API."""

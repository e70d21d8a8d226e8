-- is_creation(e): the action makes a message of a space, whatever kind its row got.
e.action IN ('createConversationMessage', 'genieCreateConversationMessage', 'genieStartConversationMessage', 'genieContinueConversationMessage')

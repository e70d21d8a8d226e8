-- action_kind(e): the kind of an action; NULL if the action is not known. `e.act` is its name in small letters, without the prefix genie
-- of the public API. Here alone is said which actions are known. `other` at the end: known, and of no kind of its own.
CASE
WHEN e.act LIKE '%evaluation%' OR e.act LIKE '%benchmark%' THEN 'benchmark'
WHEN e.act IN ('createconversationmessage', 'startconversationmessage', 'continueconversationmessage', 'creategeniechatresponse', 'creategeniechatmessage', 'creategeniechatconversationmessage') THEN 'ask'
WHEN e.act IN ('createconversation', 'startconversation', 'creategeniechatconversation') THEN 'start'
WHEN e.act IN ('regenerateconversationmessage', 'updateconversationmessage') THEN 'regenerate'
WHEN e.act IN ('updateconversationmessagefeedback', 'sendmessagefeedback', 'updategeniechatconversationfeedback') THEN 'rate'
WHEN e.act IN ('createconversationmessagecomment', 'updateconversationmessagecomment', 'deleteconversationmessagecomment', 'createmessagecomment', 'updatemessagecomment', 'deletemessagecomment') THEN CASE WHEN e.comment_type = 'REQUEST_REVIEW' THEN 'review' ELSE 'comment' END
WHEN e.act IN ('getconversationmessage', 'getmessagequeryresult', 'getmessageattachmentqueryresult', 'getqueryresultbyattachment', 'getqueryresult', 'getdownloadfullqueryresult', 'getgeniechatresponse') THEN 'poll'
WHEN e.act IN ('getspace', 'getconversation', 'getgeniechatconversation', 'openspace', 'openpage') THEN 'open'
WHEN e.act IN ('executemessagequery', 'executemessageattachmentquery', 'executequery') THEN 'run_sql'
WHEN e.act IN ('generatedownloadfullqueryresult', 'executefullqueryresult', 'downloadfullqueryresult') THEN 'download'
WHEN e.act IN ('cancelmessage', 'cancelconversationmessage', 'cancelgeniechatconversation', 'cancelgeniechatresponse') THEN 'cancel'
WHEN e.act IN ('deleteconversation', 'deleteconversationmessage', 'deletegeniechatconversation') THEN 'delete'
WHEN e.act IN ('createspace', 'clonespace', 'trashspace', 'restorespace', 'untrashspace', 'deletespace') THEN 'space'
WHEN e.act RLIKE '^(update|set|change|grant|revoke|add|remove|edit)[a-z]*(permission|access|acl)' OR e.act RLIKE '^(share|unshare)[a-z]*space' THEN 'permission'
WHEN e.act IN ('updatespace', 'updategeniecolumnconfigs', 'updatecolumnconfigs', 'updatesamplequestions') OR e.act RLIKE '^(create|update|delete)(instruction|curatedquestion|samplequestion|columnconfig|file)s?$' THEN 'configure'
WHEN e.act RLIKE '^(list|get)' THEN 'list'
WHEN e.act IN ('updateconversation', 'updatemessageattachment', 'summarizesqlexecutionresults', 'steergeniechatconversation', 'mcptoolinvocation') THEN 'other'
END

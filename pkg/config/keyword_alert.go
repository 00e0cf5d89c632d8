package config

import "time"

var alertKeywords = []keyword{
	{in: inGlobal | inVirtual, name: "notification_email", kind: mailbox, list: true, doc: "who gets mail"},
	{in: inGlobal, name: "notification_email_from", kind: mailbox, doc: "sender of mail"},
	{in: inGlobal | inVirtual, name: "smtp_server", kind: mailServer, doc: "mail server, with its port"},
	{in: inGlobal, name: "smtp_connect_timeout", kind: seconds(0, month), doc: "how long it may take to hand over a mail"},
	{in: inGlobal, name: "smtp_helo_name", kind: hostName, doc: "our name towards the mail server"},
	{in: inGlobal, name: "smtp_tls", kind: oneOf(MailTLSNone, MailTLSOpportunistic, MailTLSStart, MailTLSImplicit), doc: "how mail is encrypted"},
	{in: inGlobal, name: "smtp_tls_ca", kind: path, doc: "file of certificates that are trusted"},
	{in: inGlobal, name: "smtp_user", kind: text, doc: "who logs in to the mail server"},
	{in: inGlobal, name: "smtp_password_file", kind: path, doc: "file with the password"},
	{in: inGlobal | inVirtual | servers | routed, name: "smtp_alert", kind: boolean, doc: "mail when the state changes"},
	{in: inGlobal, name: "smtp_alert_vrrp", kind: boolean, doc: "default of smtp_alert for VRRP"},
	{in: inGlobal, name: "smtp_alert_checker", kind: boolean, doc: "default of smtp_alert for servers"},
	{in: inGlobal, name: "smtp_alert_format", kind: oneOf(FormatKeepalived, FormatLdirectord), doc: "whose subjects and texts mail has"},
	{in: inGlobal | inVirtual, name: "smtp_alert_repeat", kind: seconds(0, month), doc: "mail again while a server stays down"},
	{in: inGlobal | inVirtual, name: "smtp_alert_phases", kind: phases, doc: "when there is mail"},
	{in: inVirtual, name: "servicename", kind: headline, doc: "name of the service in mail"},
	{in: inVirtual, name: "comment", kind: headline, doc: "more about the service in mail"},
	{in: inGlobal, name: "no_email_faults", kind: boolean, doc: "no mail on FAULT"},
	{in: inGlobal, name: "no_checker_emails", kind: boolean, doc: "mail for servers, not for each check"},

	{in: inRoot, name: "webhook", doc: "servers that are told of events by HTTP"},
	{in: inWebhook, name: "url", kind: webAddress, doc: "where events are sent to"},
	{in: inWebhook, name: "url_file", kind: path, doc: "file with that in its first line"},
	{in: inWebhook, name: "secret_file", kind: path, doc: "file with the secret that signs them"},
	{in: inWebhook, name: "timeout", kind: seconds(time.Millisecond, time.Minute), doc: "how long an attempt may take"},
	{in: inWebhook, name: "attempts", kind: integer(1, 100), doc: "how often an event is tried"},
	{in: inWebhook, name: "tls_ca", kind: path, doc: "file of certificates that are trusted"},
	{in: inWebhook, name: "events", kind: oneOf(eventsVRRP, eventsLVS), list: true, doc: "which events are sent"},

	{in: inGlobal, name: "lvs_notify_fifo", kind: fifoPath, doc: "pipe for events of servers"},
	{in: inGlobal, name: "lvs_notify_fifo_script", kind: command, doc: "reader of that pipe"},
}

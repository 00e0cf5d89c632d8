// Package web is the status page: what ipvsctl list and status tell, in a browser, with live rates, the other directors' state beside it,
// and drains for those who may. All of it is in the binary and comes from one handler; nothing is loaded from elsewhere.
//
//	GET  /             the page, or a form that asks for a token
//	GET  /page/NAME    its style sheet, modules and icon
//	GET  /page/state   a State; with since=POSITION only what has changed after it
//	POST /page/login   {"token": "SECRET"}: answered with a cookie, which stands for the token from then on
//	POST /page/logout  ends that
//
// A browser asks for the State every two seconds. It is made from one Snapshot for all of them, at most once a second and less often where
// that takes long. The other directors are asked by this one, never by the browser, and one that does not answer delays nothing.
//
// Who comes and what they may is for package control. A browser shows a certificate, or logs in with a token: a session is remembered in memory
// only, and stands for the token, so that one that is no longer in the configuration ends it. Orders go to the API like everybody's,
// through its check of roles and its audit log. Requests that change something must come from the page itself: the cookie is SameSite=Strict,
// and package control looks at Sec-Fetch-Site and Origin. A Content-Security-Policy without exceptions keeps everything else from running; what the
// daemon tells gets into the page as text only.
//
// The package starts a goroutine for each question to another director, which ends within seconds.
package web

// Package console is the web console: pages that show operators how everything is. It only
// reads. It is a front end as awsapi is: it finds out who asks, and has everything that it
// shows done as that principal's requests, by package server, so that they are admitted,
// authorized and recorded as all others are.
//
// Whoever opens a page is signed in by a session (Access: a link from CreateConsoleLink,
// which is good once) or by the verified client certificate of the connection. The
// principal of a session is looked up again at each request, and while a stream lasts.
//
// Pages are made by html/template and need no JavaScript, but for plots and what is live.
// Nothing is loaded from elsewhere, and a strict Content-Security-Policy says so to the
// browser. Each page has one stream at most, of server-sent events, which is closed while
// the page is hidden. A part with data-refresh is replaced when the stream says that
// something has changed, and each minute.
//
// What tests may rely on, beside headings, labels and texts:
//
//	#live                      how the page's stream is; data-state: off, waiting, on, broken
//	#principal, #sign-out      who is signed in (not by certificate: the button)
//	#sign-in, #sign-in-as      the button that uses a link up, and as whom
//	#link-spent, #principal-gone, #session-ended, #unknown-certificate, #too-many-sessions
//	#trouble-reason            why requests cannot be answered
//	[data-error=NAME]          a part that could not be had, by AWS's name of the error
//	[data-live=NAME]           values: health, hsms-ready, alarms-firing, journal-sequence,
//	                           hsm-state:HSM, METRIC:HSM for the ten of CloudHSM,
//	                           requests-per-second, errors-per-second, throttles-per-second,
//	                           latency-mean, latency-p99, requests-in-flight, journal-lag
//	[data-plot=METRIC]         plots, with data-points and data-last (the newest value of
//	                           each line)
//	[data-cluster], [data-hsm], [data-key], [data-store], [data-alarm], [data-sink],
//	[data-grant]               what a row or card is about; of some data-state
//	tr[data-sequence]          records of the trails, with data-event or data-opcode, and
//	                           data-request
//	#q, #state, #search, #next, #follow   searches, their next page, the Follow button
package console

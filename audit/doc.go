// Package audit keeps the two trails that cannot be switched off, on one
// journal: an API event for each request, as AWS CloudTrail writes it, and an
// HSM entry for each management command that an HSM was sent, as AWS CloudHSM
// writes it.
//
// What a Record method accepted is durable when it returns nil. The journal
// also holds an intent before each change, so that a change cut off by a crash
// is found and gets its event when the service starts again.
//
// HSM entries are numbered per HSM, from 0 and without gaps, and carry a reboot
// counter that moves with each start of the HSM's worker. They are queued without
// waiting, because an HSM's answers come when they come; FlushHSM tells when they
// are durable, and has to before an answer is passed on. Each journal segment
// begins with a checkpoint of these numbers and of the open intents.
//
// The formats are in docs/formats/api-event.md and docs/formats/hsm-log.md.
package audit

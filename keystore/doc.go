// Package keystore is what a key management service is: KMS keys, their states
// and the operations on them. It decides everything; front ends only
// authenticate and translate.
//
// Every operation goes through [perform], in this order: who calls, is the
// request well formed, which key does it name, may the caller do this to it,
// may this be done in the key's state, the intent (before a change only), the
// work itself, the API event, the answer. There is no other way to keys: the
// work gets a [proof] that perform alone makes, and only a proof's methods use
// the HSM's keys. An answer leaves only after its event is durable; when the
// journal cannot be written, requests fail.
//
// A change keeps what it changes to itself from before its intent until after
// its event (see [changes]), and its record says which request made it. So after
// a crash the intents without an event, the metadata and the token tell together
// what had become of each request: settle finishes or undoes it and writes its
// event. When only the event could not be written, the [settler] does the same
// without a restart.
//
// Of itself the service renews worn backing keys, rotates keys that are due and
// deletes keys whose waiting period is over. All go by performService: no caller,
// but an intent and an event. A deletion first marks the key, then destroys the backing keys, then
// removes the metadata; cut off anywhere, it is simply done again.
//
// Reads are served from a [view] of the metadata store held in memory and kept
// fresh by the store's Watch; a change is visible to every later request of
// this process once its answer is out. So is the [directory] of principals and
// identity policies, which all Regions share.
//
// AES-GCM under random 96-bit IVs may be invoked 2^32 times with one key (NIST
// SP 800-38D, section 8.3). The [meter] counts the invocations of each backing
// key in persisted ranges; at three quarters a new backing key takes over
// silently, and the old one only decrypts.
//
// The last [use] of each key is noted in memory once its event is durable, and
// written some time later.
package keystore

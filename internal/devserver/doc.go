// Package devserver is a server that needs no configuration, because it makes
// all that a real one is given: `strongroom dev` and package strongroomtest are
// made of it. It is not for production: the PIN and every private key lie beside
// the token.
//
// The data directory has
//
//	pin, so-pin         the token's PINs, random
//	softhsm2.conf       the configuration of SoftHSM
//	tokens/             the token, where the keys are
//	token               there once the token has been initialised
//	clusters/ID/        the same of an HSM cluster, and its trust anchor (ca.pem)
//	tls/                a CA, a server certificate, and one for each principal
//	journal/            the audit journal
//	metadata.db         the key metadata
//
// What is there is used again, so that keys outlive the server; certificates
// are renewed on a start when less than 30 days of their 90 are left.
package devserver

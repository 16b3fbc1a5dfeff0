// Package client calls a Strongroom server from Go: gRPC over TLS with a client
// certificate, with keepalive, careful retries and errors that name AWS's
// exceptions.
//
//	c, err := client.Dial("kms.example.com:7400", client.Config{
//		CACert: "ca.pem", ClientCert: "app.pem", ClientKey: "app-key.pem",
//	})
//	...
//	defer c.Close()
//	answer, err := c.KMS.Encrypt(ctx, &kmsv1.EncryptRequest{KeyId: &key, Plaintext: secret})
//	if e, ok := client.AsError(err); ok && e.Name == "NotFoundException" {
//
// # Retries
//
// A unary call that failed is repeated only if it cannot have changed anything:
//
//   - the server says UNAVAILABLE, which it does only when nothing was changed;
//   - the server says RESOURCE_EXHAUSTED and when to come again
//     (google.rpc.RetryInfo), as it does when it has too much to do;
//   - the call was not sent: there was no connection;
//   - no answer came (UNAVAILABLE from the connection), and the operation is one
//     that changes nothing, such as Encrypt or Decrypt. CreateKey is not repeated
//     then: it may have made a key.
//
// Repetitions are few (Config.Retries), with growing pauses and jitter, and never
// beyond the context. When many calls fail that have reached the server, they are
// not repeated until enough succeed again: repetitions would only add to its load.
// The server gives each attempt a request id and an event of its own.
//
// The package stands on gRPC and the generated API only, and builds without cgo.
// Package tinkkms below it is the same service for Tink; package strongroomtest
// is a real server for tests. All three keep to semantic versioning: until version
// 1 a minor version may change them, and CHANGELOG.md of the repository says how.
package client

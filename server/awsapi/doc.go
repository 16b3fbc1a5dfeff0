// Package awsapi serves the services of a Region as AWS serves them, KMS and those that
// read trails and metrics: AWS JSON and Smithy RPC v2 CBOR over HTTP, each request signed
// by Signature Version 4 for the service that it is to. AWS's own clients are pointed at it
// and do not notice.
//
// It has no code for any operation. What a request is called, which members it has
// and how an empty answer looks comes from the descriptions that package describe
// compiles from the proto; operations are done in process, by package server, as
// those that come over gRPC. It authenticates and translates, and decides nothing.
//
// Sources: the AWS KMS API Reference ("Making Requests", "Common Errors"), the
// Smithy specification, "AWS JSON 1.1 protocol" and "Smithy RPC v2 CBOR protocol", and the
// AWS IAM User Guide, "Signature Version 4".
package awsapi

// Package sigv4 verifies AWS Signature Version 4: that a request was made by who
// holds the secret of an access key, and has not been changed since.
//
// # What is verified
//
// The Authorization header, with the one algorithm AWS4-HMAC-SHA256. Presigned
// requests (signed in the query string) are refused: AWS KMS has no use for them.
// The canonical request is made of the request's own SignedHeaders, of which the
// host must be one, and every X-Amz- header that the request has. The hash of the
// body is always computed here: X-Amz-Content-Sha256, if there, must be it, so that
// UNSIGNED-PAYLOAD and the streaming forms, which only Amazon S3 needs, are refused.
// What a proxy may add or change (User-Agent, X-Amzn-Trace-Id) need not be signed.
// A repeated request is accepted again while its date is: that is so at AWS too.
//
// Neither the body is read nor the query parsed before the access key is known.
//
// # Order of the checks
//
// It decides which of several mistakes a client is told of:
//
//  1. an Authorization header of an AWS4- algorithm (MissingAuthenticationToken)
//  2. its syntax, its three parameters, and a date (IncompleteSignature)
//  3. the date's format (IncompleteSignature), then five minutes of skew either way
//  4. the signed headers: the host, and every X-Amz- header
//  5. the algorithm, and the five elements of the credential (IncompleteSignature)
//  6. the credential's scope, all that is wrong with it at once
//  7. the access key (UnrecognizedClient)
//  8. the signature
//  9. the session token: the wrong one (UnrecognizedClient), or expired (ExpiredToken)
//
// The rest are InvalidSignature. The order, and most texts, are those that users
// of AWS recorded of Amazon DynamoDB, a service of the same framework, in the
// server of https://github.com/architect/dynalite (index.js); AWS documents
// neither. The tests say of each text where it was seen.
//
// Where AWS once repeated the Authorization header in its messages it now gives a
// hash of it, and so does this package, everywhere: who mistakes the secret for the
// access key id would otherwise find the secret in the API events.
//
// # Sources
//
//   - AWS Identity and Access Management User Guide, "Create a signed AWS API
//     request" (the canonical request, the string to sign, the signing key),
//     "Elements of an AWS API request signature" and "Troubleshoot Signature
//     Version 4 signing"
//   - AWS's test suite for signers, in https://github.com/awslabs/aws-c-auth
//     (tests/aws-signing-test-suite/v4), of which the tests have figures
//   - RFC 9110, 5.3: the order and the joining of repeated header lines
package sigv4

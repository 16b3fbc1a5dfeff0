// Package awsmodel compares the API with AWS's own models, of KMS and of the services
// by which the trails are read, as botocore has them: operations, members, types,
// limits, patterns, enum values and errors. The models are not kept here; they come
// with the AWS clients that `make clients` gets, in the version that their
// requirements.txt pins.
package awsmodel

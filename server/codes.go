package server

import (
	"google.golang.org/grpc/codes"

	"github.com/strongroom-kms/strongroom/keystore"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// kindCodes is the one table from the kinds of error to gRPC's codes, in the
// order of the proto. InvalidArgument is for what is wrong whatever the state
// of the world, FailedPrecondition for what some other state would allow.
// Clients repeat Unavailable by themselves, so only those kinds have it after
// which nothing can have changed.
func kindCodes() map[keystore.Kind]codes.Code { //nolint:funlen // A table with a line for each kind.
	return map[keystore.Kind]codes.Code{
		annotationsv1.ErrorKind_ERROR_KIND_ALREADY_EXISTS:                                       codes.AlreadyExists,
		annotationsv1.ErrorKind_ERROR_KIND_CLOUD_HSM_CLUSTER_IN_USE:                             codes.AlreadyExists,
		annotationsv1.ErrorKind_ERROR_KIND_CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION:              codes.FailedPrecondition,
		annotationsv1.ErrorKind_ERROR_KIND_CLOUD_HSM_CLUSTER_NOT_ACTIVE:                         codes.FailedPrecondition,
		annotationsv1.ErrorKind_ERROR_KIND_CLOUD_HSM_CLUSTER_NOT_FOUND:                          codes.NotFound,
		annotationsv1.ErrorKind_ERROR_KIND_CLOUD_HSM_CLUSTER_NOT_RELATED:                        codes.FailedPrecondition,
		annotationsv1.ErrorKind_ERROR_KIND_CONFLICT:                                             codes.Aborted,
		annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_HAS_CMKS:                            codes.FailedPrecondition,
		annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_INVALID_STATE:                       codes.FailedPrecondition,
		annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_NAME_IN_USE:                         codes.AlreadyExists,
		annotationsv1.ErrorKind_ERROR_KIND_CUSTOM_KEY_STORE_NOT_FOUND:                           codes.NotFound,
		annotationsv1.ErrorKind_ERROR_KIND_DEPENDENCY_TIMEOUT:                                   codes.DeadlineExceeded,
		annotationsv1.ErrorKind_ERROR_KIND_DISABLED:                                             codes.FailedPrecondition,
		annotationsv1.ErrorKind_ERROR_KIND_DRY_RUN_OPERATION:                                    codes.FailedPrecondition,
		annotationsv1.ErrorKind_ERROR_KIND_EXPIRED_IMPORT_TOKEN:                                 codes.FailedPrecondition,
		annotationsv1.ErrorKind_ERROR_KIND_INCORRECT_KEY:                                        codes.InvalidArgument,
		annotationsv1.ErrorKind_ERROR_KIND_INCORRECT_KEY_MATERIAL:                               codes.InvalidArgument,
		annotationsv1.ErrorKind_ERROR_KIND_INCORRECT_TRUST_ANCHOR:                               codes.FailedPrecondition,
		annotationsv1.ErrorKind_ERROR_KIND_INVALID_ALIAS_NAME:                                   codes.InvalidArgument,
		annotationsv1.ErrorKind_ERROR_KIND_INVALID_ARN:                                          codes.InvalidArgument,
		annotationsv1.ErrorKind_ERROR_KIND_INVALID_CIPHERTEXT:                                   codes.InvalidArgument,
		annotationsv1.ErrorKind_ERROR_KIND_INVALID_GRANT_ID:                                     codes.InvalidArgument,
		annotationsv1.ErrorKind_ERROR_KIND_INVALID_GRANT_TOKEN:                                  codes.InvalidArgument,
		annotationsv1.ErrorKind_ERROR_KIND_INVALID_IMPORT_TOKEN:                                 codes.InvalidArgument,
		annotationsv1.ErrorKind_ERROR_KIND_INVALID_KEY_USAGE:                                    codes.FailedPrecondition,
		annotationsv1.ErrorKind_ERROR_KIND_INVALID_MARKER:                                       codes.InvalidArgument,
		annotationsv1.ErrorKind_ERROR_KIND_KMS_INTERNAL:                                         codes.Internal,
		annotationsv1.ErrorKind_ERROR_KIND_KMS_INVALID_MAC:                                      codes.InvalidArgument,
		annotationsv1.ErrorKind_ERROR_KIND_KMS_INVALID_SIGNATURE:                                codes.InvalidArgument,
		annotationsv1.ErrorKind_ERROR_KIND_KMS_INVALID_STATE:                                    codes.FailedPrecondition,
		annotationsv1.ErrorKind_ERROR_KIND_KEY_UNAVAILABLE:                                      codes.Unavailable,
		annotationsv1.ErrorKind_ERROR_KIND_LIMIT_EXCEEDED:                                       codes.ResourceExhausted,
		annotationsv1.ErrorKind_ERROR_KIND_MALFORMED_POLICY_DOCUMENT:                            codes.InvalidArgument,
		annotationsv1.ErrorKind_ERROR_KIND_NOT_FOUND:                                            codes.NotFound,
		annotationsv1.ErrorKind_ERROR_KIND_TAG:                                                  codes.InvalidArgument,
		annotationsv1.ErrorKind_ERROR_KIND_UNSUPPORTED_OPERATION:                                codes.Unimplemented,
		annotationsv1.ErrorKind_ERROR_KIND_XKS_KEY_ALREADY_IN_USE:                               codes.AlreadyExists,
		annotationsv1.ErrorKind_ERROR_KIND_XKS_KEY_INVALID_CONFIGURATION:                        codes.FailedPrecondition,
		annotationsv1.ErrorKind_ERROR_KIND_XKS_KEY_NOT_FOUND:                                    codes.NotFound,
		annotationsv1.ErrorKind_ERROR_KIND_XKS_PROXY_INCORRECT_AUTHENTICATION_CREDENTIAL:        codes.FailedPrecondition,
		annotationsv1.ErrorKind_ERROR_KIND_XKS_PROXY_INVALID_CONFIGURATION:                      codes.FailedPrecondition,
		annotationsv1.ErrorKind_ERROR_KIND_XKS_PROXY_INVALID_RESPONSE:                           codes.FailedPrecondition,
		annotationsv1.ErrorKind_ERROR_KIND_XKS_PROXY_URI_ENDPOINT_IN_USE:                        codes.AlreadyExists,
		annotationsv1.ErrorKind_ERROR_KIND_XKS_PROXY_URI_IN_USE:                                 codes.AlreadyExists,
		annotationsv1.ErrorKind_ERROR_KIND_XKS_PROXY_URI_UNREACHABLE:                            codes.FailedPrecondition,
		annotationsv1.ErrorKind_ERROR_KIND_XKS_PROXY_VPC_ENDPOINT_SERVICE_IN_USE:                codes.AlreadyExists,
		annotationsv1.ErrorKind_ERROR_KIND_XKS_PROXY_VPC_ENDPOINT_SERVICE_INVALID_CONFIGURATION: codes.FailedPrecondition,
		annotationsv1.ErrorKind_ERROR_KIND_XKS_PROXY_VPC_ENDPOINT_SERVICE_NOT_FOUND:             codes.NotFound,
		annotationsv1.ErrorKind_ERROR_KIND_ACCESS_DENIED:                                        codes.PermissionDenied,
		annotationsv1.ErrorKind_ERROR_KIND_EXPIRED_TOKEN:                                        codes.Unauthenticated,
		annotationsv1.ErrorKind_ERROR_KIND_INCOMPLETE_SIGNATURE:                                 codes.Unauthenticated,
		annotationsv1.ErrorKind_ERROR_KIND_INVALID_SIGNATURE:                                    codes.Unauthenticated,
		annotationsv1.ErrorKind_ERROR_KIND_MISSING_AUTHENTICATION_TOKEN:                         codes.Unauthenticated,
		annotationsv1.ErrorKind_ERROR_KIND_UNRECOGNIZED_CLIENT:                                  codes.Unauthenticated,
		annotationsv1.ErrorKind_ERROR_KIND_VALIDATION:                                           codes.InvalidArgument,
		annotationsv1.ErrorKind_ERROR_KIND_SERIALIZATION:                                        codes.InvalidArgument,
		annotationsv1.ErrorKind_ERROR_KIND_UNKNOWN_OPERATION:                                    codes.Unimplemented,
		annotationsv1.ErrorKind_ERROR_KIND_MALFORMED_HTTP_REQUEST:                               codes.InvalidArgument,
		annotationsv1.ErrorKind_ERROR_KIND_REQUEST_ABORTED:                                      codes.Canceled,
		annotationsv1.ErrorKind_ERROR_KIND_REQUEST_ENTITY_TOO_LARGE:                             codes.ResourceExhausted,
		annotationsv1.ErrorKind_ERROR_KIND_REQUEST_TIMEOUT:                                      codes.DeadlineExceeded,
		annotationsv1.ErrorKind_ERROR_KIND_THROTTLING:                                           codes.ResourceExhausted,
		annotationsv1.ErrorKind_ERROR_KIND_SERVICE_UNAVAILABLE:                                  codes.Unavailable,
		annotationsv1.ErrorKind_ERROR_KIND_INTERNAL_FAILURE:                                     codes.Internal,
	}
}

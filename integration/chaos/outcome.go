package chaos

import (
	"slices"

	"google.golang.org/grpc/status"

	"github.com/strongroom-kms/strongroom/integration/harness"
)

// Names of errors.
const (
	invalidState      = "KMSInvalidStateException"
	storeState        = "CustomKeyStoreInvalidStateException"
	storeInactive     = "CloudHsmClusterInvalidConfigurationException" // too few HSMs are there
	invalidCiphertext = "InvalidCiphertextException"
	wrongUsage        = "InvalidKeyUsageException"
	notFound          = "NotFoundException"
)

// away are the errors that say "not now": no HSM can be reached, or not in time, or
// there is too much to do. They are allowed while something is disturbed, and at no
// other time.
func away(name string, k kind) bool {
	switch name {
	case "KeyUnavailableException", "KMSInternalException", "DependencyTimeoutException", "ThrottlingException",
		"RequestTimeoutException", "RequestAbortedException", "ServiceUnavailableException":
		return true
	case invalidState, storeState, storeInactive:
		return k == stored
	}
	return false
}

// answered completes a request by what its call returned.
func (r *request) answered(header *harness.Header, err error) {
	r.ID = header.RequestID()
	if err == nil {
		return
	}
	info := harness.ErrorInfo(err)
	s := status.Convert(err)
	r.Message = s.Message()
	if info == nil {
		r.Lost = s.Code().String() + ": " + s.Message()
		return
	}
	r.Outcome = info.GetReason()
	if r.ID == "" {
		r.ID = info.GetMetadata()["request_id"]
	}
}

// succeeded says that the request was answered, and well.
func (r *request) succeeded() bool { return r.Lost == "" && r.Outcome == "" }

// asExpected tells whether a request may have ended as it did: as one of the outcomes
// wanted or, if something was disturbed, because an HSM was away.
func (r *request) asExpected(wanted []string, k kind) bool {
	if r.Lost != "" {
		return !r.Calm
	}
	return slices.Contains(wanted, r.Outcome) || !r.Calm && away(r.Outcome, k)
}

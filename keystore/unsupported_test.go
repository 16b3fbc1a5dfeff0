package keystore

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// What is not offered is refused by name: to ignore a constraint of a grant
// would allow more than was asked for.
func TestWhatIsNotOfferedIsRefused(t *testing.T) {
	t.Parallel()
	const (
		service = "ec2.amazonaws.com"
		self    = kmsv1.ResourceOwnerType_RESOURCE_OWNER_TYPE_SELF
		shared  = kmsv1.ResourceOwnerType_RESOURCE_OWNER_TYPE_OTHER_ACCOUNTS_VIA_RAM
	)
	modifiers := []kmsv1.DryRunModifierType{kmsv1.DryRunModifierType_DRY_RUN_MODIFIER_TYPE_IGNORE_CIPHERTEXT}
	tests := []struct {
		request proto.Message
		want    string // empty: offered
	}{
		{&kmsv1.DecryptRequest{Recipient: &kmsv1.RecipientInfo{}}, "Recipient is not supported."},
		{&kmsv1.DecryptRequest{DryRunModifiers: modifiers}, "DryRunModifiers are not supported."},
		{&kmsv1.DecryptRequest{}, ""},
		{&kmsv1.CreateGrantRequest{GranteeServicePrincipal: proto.String(service)}, "GranteeServicePrincipal is not supported."},
		{&kmsv1.CreateGrantRequest{RetiringServicePrincipal: proto.String(service)}, "RetiringServicePrincipal is not supported."},
		{&kmsv1.CreateGrantRequest{Constraints: &kmsv1.GrantConstraints{SourceArn: proto.String("arn")}}, "SourceArn is not supported."},
		{&kmsv1.CreateGrantRequest{Constraints: &kmsv1.GrantConstraints{}}, ""},
		{&kmsv1.ListGrantsRequest{GranteeServicePrincipal: proto.String(service)}, "GranteeServicePrincipal is not supported."},
		{&kmsv1.ListRetirableGrantsRequest{RetiringServicePrincipal: proto.String(service)}, "RetiringServicePrincipal is not supported."},
		{&kmsv1.ListKeysRequest{ResourceOwners: []kmsv1.ResourceOwnerType{self, shared}}, "OTHER_ACCOUNTS_VIA_RAM is not supported."},
		{&kmsv1.ListKeysRequest{ResourceOwners: []kmsv1.ResourceOwnerType{self}}, ""},
	}
	for _, test := range tests {
		var refused *Error
		err := refuseUnsupported(test.request)
		if errors.As(err, &refused) != (test.want != "") || refused != nil && refused.Message != test.want {
			t.Errorf("%T: %v, want %q", test.request, err, test.want)
		}
	}
}

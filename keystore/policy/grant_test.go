package policy_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/strongroom-kms/strongroom/keystore/policy"
)

func TestGrantConstraints(t *testing.T) {
	type pairs = map[string]string
	for _, test := range []struct {
		name           string
		equals, subset pairs
		operation      string
		context        pairs
		want           bool
	}{
		{"without constraints", nil, nil, "Encrypt", pairs{"a": "1"}, true},
		{"equal", pairs{"a": "1", "b": "2"}, nil, "Encrypt", pairs{"b": "2", "a": "1"}, true},
		{"one pair more than equal", pairs{"a": "1"}, nil, "Encrypt", pairs{"a": "1", "b": "2"}, false},
		{"one pair less than equal", pairs{"a": "1", "b": "2"}, nil, "Encrypt", pairs{"a": "1"}, false},
		{"equal but for case", pairs{"a": "x"}, nil, "Encrypt", pairs{"a": "X"}, false},
		{"key and value changed places", pairs{"a": "b"}, nil, "Encrypt", pairs{"b": "a"}, false},
		{"no context, where one is wanted", pairs{"a": "1"}, nil, "Encrypt", nil, false},
		{"the subset", nil, pairs{"a": "1"}, "Encrypt", pairs{"a": "1"}, true},
		{"a superset of the subset", nil, pairs{"c": "3", "a": "1"}, "Encrypt", pairs{"a": "1", "b": "2", "c": "3"}, true},
		{"part of the subset", nil, pairs{"a": "1", "c": "3"}, "Encrypt", pairs{"a": "1", "b": "2"}, false},
		{"the subset with another value", nil, pairs{"a": "1"}, "Encrypt", pairs{"a": "2"}, false},
		{"no context, where a subset is wanted", nil, pairs{"a": "1"}, "Encrypt", nil, false},
		{"both constraints, met", pairs{"a": "1", "b": "2"}, pairs{"b": "2"}, "Encrypt", pairs{"a": "1", "b": "2"}, true},
		{"both constraints, of which one is not met", pairs{"a": "1"}, pairs{"b": "2"}, "Encrypt", pairs{"a": "1"}, false},
		{"an operation that was not granted", nil, nil, "Sign", nil, false},
		{"operations in other case", nil, nil, "encrypt", nil, false},
		{"an operation without a context", pairs{"a": "1"}, pairs{"b": "2"}, "DescribeKey", nil, true},
		{"another, with one", pairs{"a": "1"}, nil, "RetireGrant", pairs{"a": "2"}, true},
	} {
		g := policy.NewGrants()
		g.Put(policy.Grant{
			ID: "g1", Grantee: alice, Operations: []string{"Encrypt", "DescribeKey", "RetireGrant"},
			Equals: test.equals, Subset: test.subset,
		})
		if _, got := g.Grant(alice, test.operation, test.context, nil); got != test.want {
			t.Errorf("%s: granted %v, want %v", test.name, got, test.want)
		}
	}
}

// TestConstrainedOperations expects the constraints to count for each operation that
// has an encryption context.
func TestConstrainedOperations(t *testing.T) {
	for operation, constrained := range map[string]bool{
		"Decrypt": true, "Encrypt": true, "GenerateDataKey": true, "GenerateDataKeyWithoutPlaintext": true,
		"ReEncryptFrom": true, "ReEncryptTo": true, "GenerateDataKeyPair": true, "GenerateDataKeyPairWithoutPlaintext": true,
		"Sign": false, "Verify": false, "GetPublicKey": false, "CreateGrant": false, "RetireGrant": false,
		"DescribeKey": false, "GenerateMac": false, "VerifyMac": false, "DeriveSharedSecret": false,
	} {
		g := policy.NewGrants()
		g.Put(policy.Grant{ID: "g1", Grantee: alice, Operations: []string{operation}, Equals: map[string]string{"a": "1"}})
		if _, got := g.Grant(alice, operation, map[string]string{"a": "2"}, nil); got == constrained {
			t.Errorf("%s against its constraint: granted %v", operation, got)
		}
	}
}

func TestGrantees(t *testing.T) {
	for _, test := range []struct {
		grantee, caller string
		want            bool
	}{
		{alice, alice, true},
		{alice, foreigner, false},
		{appRole, appRole, true},
		{appRole, roleSession, true},
		{roleSession, roleSession, true},
		{roleSession, appRole, false},
		{appRole, "arn:aws:sts::111111111111:assumed-role/app/one", false},
		{appRole, "arn:aws:iam::000000000000:user/app", false},
		{rootUser, rootUser, true},
		{rootUser, alice, false},
		{foreigner, foreigner, true},
		{alice, "", false},
	} {
		g := policy.NewGrants()
		g.Put(policy.Grant{ID: "g1", Grantee: test.grantee, Operations: []string{"Encrypt"}})
		if id, got := g.Grant(test.caller, "Encrypt", nil, nil); got != test.want || (got && id != "g1") {
			t.Errorf("%q for the grantee %q: %v, grant %q; want %v", test.caller, test.grantee, got, id, test.want)
		}
	}
}

func TestGrantsKeepCopies(t *testing.T) {
	g := policy.NewGrants()
	grant := policy.Grant{
		ID: "g1", Token: "token", Name: "name", Grantee: alice, Retiring: appRole, IssuingAccount: account,
		Operations: []string{"Encrypt"}, Subset: map[string]string{"a": "1"},
	}
	want := grant
	want.Operations, want.Subset = []string{"Encrypt"}, maps.Clone(grant.Subset)
	g.Put(grant)
	grant.Operations[0], grant.Subset["a"] = "Decrypt", "2"
	got, ok := g.Get("g1")
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("Get: %v (-want +got):\n%s", ok, diff)
	}
	if !g.Remove("g1") || g.Remove("g1") || g.Len() != 0 {
		t.Error("the grant was not removed once")
	}
	if _, ok := g.Get("g1"); ok {
		t.Error("the grant that was removed is still there")
	}
}

// TestGrantsAgreeWithList changes an index and a plain list alike, and expects them to
// grant the same.
func TestGrantsAgreeWithList(t *testing.T) {
	granted := 0
	rapid.Check(t, func(t *rapid.T) {
		index, all := policy.NewGrants(), make(map[string]policy.Grant)
		for range rapid.IntRange(1, 30).Draw(t, "changes") {
			id := fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "id"))
			if rapid.IntRange(0, 2).Draw(t, "remove") == 0 {
				_, want := all[id]
				if got := index.Remove(id); got != want {
					t.Fatalf("Remove(%s): %v, want %v", id, got, want)
				}
				delete(all, id)
				continue
			}
			drawn := drawGrants(t)
			if len(drawn) == 0 {
				continue
			}
			drawn[0].ID = id
			all[id] = drawn[0]
			index.Put(drawn[0])
		}
		if index.Len() != len(all) {
			t.Fatalf("Len: %d, want %d", index.Len(), len(all))
		}
		for range 10 {
			r := policy.Request{Principal: drawPrincipal(t), Action: "kms:" + rapid.SampledFrom([]string{"Encrypt", "DescribeKey"}).Draw(t, "operation"), EncryptionContext: drawPairs(t, "context")}
			id, got := index.Grant(r.Principal, r.Action[len("kms:"):], r.EncryptionContext, nil)
			var list []policy.Grant
			for _, g := range all {
				list = append(list, g)
			}
			if want := naiveGranted(r, list); got != want {
				t.Fatalf("%+v by %+v: granted %v, want %v", r, all, got, want)
			}
			if got && !naiveGranted(r, []policy.Grant{all[id]}) {
				t.Fatalf("%+v is granted by %+v, which does not grant it", r, all[id])
			}
			if got {
				granted++
			}
		}
	})
	if granted == 0 {
		t.Error("nothing was granted")
	}
}

package keystore

import (
	"fmt"
	"slices"
	"testing"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// listing is a list that is asked for page by page.
type listing struct {
	// add makes an item, n-th of all; take takes one away that was there before
	// the last page. Nil: there is no way.
	add, take func(n int)
	// page answers the names of the items of one page, and the marker of the next.
	page func(limit int32, marker *string) (names []string, next *string, truncated bool)
}

// TestPagesLoseAndRepeatNothing pages through every list, while between the pages items are
// added before and behind the place that was reached, and taken: what was there all the time
// is on one page, and nothing on two.
func TestPagesLoseAndRepeatNothing(t *testing.T) {
	t.Parallel()
	s := startService(t)
	for name, l := range map[string]listing{
		"ListKeys": s.listOfKeys(), "ListAliases": s.listOfAliases(), "ListAliases of a key": s.listOfAliasesOf(s.createKey().KeyId),
		"ListGrants": s.listOfGrants(), "ListRetirableGrants": s.listOfRetirableGrants(),
		"ListResourceTags": s.listOfTags(), "ListKeyRotations": s.listOfRotations(), "ListKeyPolicies": s.listOfPolicies(),
	} {
		t.Run(name, func(t *testing.T) {
			for _, limit := range []int32{1, 3} {
				l.checkPages(t, limit)
			}
		})
	}
}

// checkPages pages through a list once.
func (l listing) checkPages(t *testing.T, limit int32) {
	t.Helper()
	for n := range 5 {
		l.add(n + 10*int(limit))
	}
	there, _, _ := l.page(50, nil)
	var got []string
	for marker, n := (*string)(nil), 100*int(limit); ; n++ {
		names, next, truncated := l.page(limit, marker)
		got = append(got, names...)
		if len(names) > int(limit) || truncated != (next != nil) || truncated && len(names) < int(limit) {
			t.Errorf("a page of %d has %v, truncated %t", limit, names, truncated)
		}
		if !truncated {
			break
		}
		if marker = next; n < 100*int(limit)+3 {
			l.add(n)
			l.take(n)
		}
	}
	slices.Sort(got)
	if repeated := len(got) - len(slices.Compact(slices.Clone(got))); repeated > 0 {
		t.Errorf("pages of %d repeat %d items: %v", limit, repeated, got)
	}
	still, _, _ := l.page(50, nil)
	for _, name := range there {
		if slices.Contains(still, name) && !slices.Contains(got, name) {
			t.Errorf("pages of %d lose %s", limit, name)
		}
	}
}

func nothing(int) {}

func (s *service) listOfKeys() listing {
	return listing{
		add: func(int) { s.createKey() }, take: nothing,
		page: func(limit int32, marker *string) (names []string, next *string, truncated bool) {
			res, err := s.ListKeys(s.as(app), &kmsv1.ListKeysRequest{Limit: &limit, Marker: marker})
			s.must(err)
			for _, k := range res.GetKeys() {
				names = append(names, k.GetKeyId())
			}
			return names, res.NextMarker, res.GetTruncated()
		},
	}
}

func (s *service) listOfAliases() listing { return s.listOfAliasesOf(nil) }

// listOfAliasesOf is of the aliases of one key, or of all.
func (s *service) listOfAliasesOf(of *string) listing {
	target := of
	if target == nil {
		target = s.createKey().KeyId
	}
	name := func(n int) string { return fmt.Sprintf("alias/%d-%t-%d", n*7919%1000, of == nil, n) }
	return listing{
		add: func(n int) { s.must(s.createAlias(name(n), target)) },
		take: func(n int) {
			_, err := s.DeleteAlias(s.as(admin), &kmsv1.DeleteAliasRequest{AliasName: new(name(n))})
			s.must(err)
		},
		page: func(limit int32, marker *string) (names []string, next *string, truncated bool) {
			res, err := s.ListAliases(s.as(app), &kmsv1.ListAliasesRequest{KeyId: of, Limit: &limit, Marker: marker})
			s.must(err)
			for _, a := range res.GetAliases() {
				names = append(names, a.GetAliasName())
			}
			return names, res.NextMarker, res.GetTruncated()
		},
	}
}

// listOfGrants is of those of a key. Their ids are random, so that new ones stand anywhere.
func (s *service) listOfGrants() listing {
	key := s.createKey()
	l := listing{page: func(limit int32, marker *string) (names []string, next *string, truncated bool) {
		res, err := s.ListGrants(s.as(admin), &kmsv1.ListGrantsRequest{KeyId: key.KeyId, Limit: &limit, Marker: marker})
		s.must(err)
		return idsOf(res.GetGrants()), res.NextMarker, res.GetTruncated()
	}}
	l.add = func(int) { s.grant(admin, granting(key, nobody, mayEncrypt)) }
	l.take = func(int) { s.revokeOne(key, l) }
	return l
}

// listOfRetirableGrants is of those of several keys.
func (s *service) listOfRetirableGrants() listing {
	keys := []*kmsv1.KeyMetadata{s.createKey(), s.createKey(), s.createKey()}
	return listing{
		add:  func(n int) { s.grant(admin, granting(keys[n%len(keys)], second, mayDecrypt)) },
		take: nothing,
		page: func(limit int32, marker *string) (names []string, next *string, truncated bool) {
			res, err := s.ListRetirableGrants(s.as(admin), &kmsv1.ListRetirableGrantsRequest{RetiringPrincipal: new(retirer), Limit: &limit, Marker: marker})
			s.must(err)
			return idsOf(res.GetGrants()), res.NextMarker, res.GetTruncated()
		},
	}
}

func idsOf(grants []*kmsv1.GrantListEntry) (ids []string) {
	for _, g := range grants {
		ids = append(ids, g.GetGrantId())
	}
	return ids
}

// revokeOne revokes the first grant of a key.
func (s *service) revokeOne(key *kmsv1.KeyMetadata, l listing) {
	s.t.Helper()
	first, _, _ := l.page(1, nil)
	_, err := s.RevokeGrant(s.as(admin), &kmsv1.RevokeGrantRequest{KeyId: key.KeyId, GrantId: &first[0]})
	s.must(err)
}

func (s *service) listOfTags() listing {
	id := s.createKey().KeyId
	name := func(n int) string { return fmt.Sprint(n*7919%1000, "-", n) }
	return listing{
		add:  func(n int) { s.must(s.tag(id, tagsOf(name(n), "v")...)) },
		take: func(n int) { s.must(s.untag(id, name(n))) },
		page: func(limit int32, marker *string) (names []string, next *string, truncated bool) {
			res, err := s.ListResourceTags(s.as(admin), &kmsv1.ListResourceTagsRequest{KeyId: id, Limit: &limit, Marker: marker})
			s.must(err)
			for _, tag := range res.GetTags() {
				names = append(names, tag.GetTagKey())
			}
			return names, res.NextMarker, res.GetTruncated()
		},
	}
}

// listOfRotations is of the material of a key, which is never taken while it lives.
func (s *service) listOfRotations() listing {
	id := s.createKey().KeyId
	return listing{
		add: func(n int) {
			if n%2 == 0 { // a key is rotated so only 25 times
				s.must(s.rotateOnDemand(id))
			}
		},
		take: nothing,
		page: func(limit int32, marker *string) (names []string, next *string, truncated bool) {
			res, err := s.ListKeyRotations(s.as(admin), &kmsv1.ListKeyRotationsRequest{
				KeyId: id, Limit: &limit, Marker: marker, IncludeKeyMaterial: kmsv1.IncludeKeyMaterial_INCLUDE_KEY_MATERIAL_ALL_KEY_MATERIAL.Enum(),
			})
			s.must(err)
			for _, r := range res.GetRotations() {
				names = append(names, r.GetKeyMaterialId())
			}
			return names, res.NextMarker, res.GetTruncated()
		},
	}
}

// listOfPolicies is of the one policy that a key has.
func (s *service) listOfPolicies() listing {
	id := s.createKey().KeyId
	return listing{
		add: nothing, take: nothing,
		page: func(limit int32, marker *string) (names []string, next *string, truncated bool) {
			res, err := s.ListKeyPolicies(s.as(admin), &kmsv1.ListKeyPoliciesRequest{KeyId: id, Limit: &limit, Marker: marker})
			s.must(err)
			return res.GetPolicyNames(), res.NextMarker, res.GetTruncated()
		},
	}
}

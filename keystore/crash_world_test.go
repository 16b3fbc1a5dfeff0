package keystore

import (
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/hsmpool"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// world is what a service holds. Keys are named by the descriptions that they
// were made with.
type world struct {
	Keys    map[string]worldKey
	Aliases map[string]string // the name of the key by the name of the alias

	Principals map[string][]string // that are stored, with their policies
	Policies   map[string]string
	AccessKeys map[string]int // that are stored, by their principals
	AuditKeys  map[string]int // by what they do: "signs" or "retired"

	Stores map[string]kmsv1.ConnectionStateType // as they are to be, by their names
}

type worldKey struct {
	State       kmsv1.KeyState
	Description string
	Window      int32 // the waiting period in days, when the deletion is scheduled
	Materials   int   // how many backing keys
	Grants      int
	Policy      string // empty: the default one
	Rotation    int32  // the period of the automatic rotation in days, when it is on
	Tags        string
}

// world reads what the service holds. A key without a name is called "new".
func (s *service) world(names map[uuid.UUID]string) world {
	w := world{Keys: map[string]worldKey{}, Aliases: map[string]string{}, Principals: map[string][]string{}, Policies: map[string]string{},
		AccessKeys: map[string]int{}, AuditKeys: map[string]int{}, Stores: map[string]kmsv1.ConnectionStateType{}}
	s.addDirectoryTo(w)
	s.addStoresTo(w)
	for _, a := range s.auditKeys() {
		w.AuditKeys[a]++
	}
	name := func(id uuid.UUID) string {
		if n, ok := names[id]; ok {
			return n
		}
		return "new"
	}
	keys, _ := s.view.page(uuid.Nil, 1000)
	for _, k := range keys {
		found := worldKey{
			State: k.record.GetState(), Description: k.record.GetDescription(),
			Window: k.record.GetPendingWindowInDays(), Materials: len(k.backing),
			Grants: s.view.countGrants(k.id), Policy: k.record.GetPolicy(),
		}
		if k.rotation() {
			found.Rotation = k.record.GetRotation().GetPeriodInDays()
		}
		for _, t := range k.record.GetTags() {
			found.Tags += t.GetKey() + "=" + t.GetValue() + " "
		}
		w.Keys[name(k.id)] = found
	}
	aliases, _ := s.view.aliasPage(uuid.Nil, "", 1000)
	for _, a := range aliases {
		w.Aliases[a.name] = name(a.target)
	}
	return w
}

func (w world) clone() world {
	return world{Keys: maps.Clone(w.Keys), Aliases: maps.Clone(w.Aliases), Principals: maps.Clone(w.Principals), Policies: maps.Clone(w.Policies), AccessKeys: maps.Clone(w.AccessKeys), AuditKeys: maps.Clone(w.AuditKeys), Stores: maps.Clone(w.Stores)}
}

// set changes a key.
func (w world) set(name string, change func(*worldKey)) {
	k := w.Keys[name]
	change(&k)
	w.Keys[name] = k
}

// expectOneTruth expects the same key material in token and metadata, and that
// nothing else is counted. A retired audit key may be in the token, or not.
func (s *service) expectOneTruth() {
	s.t.Helper()
	known := s.regions.materials()
	want := make([]string, 0, len(known))
	for id, m := range known {
		if m.going && isAuditKey(m.arn) {
			continue
		}
		want = append(want, id.String())
	}
	objects, err := s.pool.Objects(s.t.Context())
	s.must(err)
	got := make([]string, 0, len(objects))
	for _, o := range objects {
		if m := known[hsmpool.ObjectID(o.ID)]; m.going && isAuditKey(m.arn) {
			continue
		}
		got = append(got, hex.EncodeToString(o.ID))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("the key material (-of the metadata +of the token):\n%s", diff)
	}
	prefix := s.scope.invocations("")
	counts, _, err := s.store.Range(s.t.Context(), prefix)
	s.must(err)
	for _, c := range counts {
		if id := strings.TrimPrefix(c.Key, prefix); !s.everHad(id) {
			s.t.Errorf("the uses of %s are counted, which is no key material", id)
		}
	}
}

// everHad says whether a key has, or had, a backing key: one that can be imported
// again goes on being counted.
func (s *service) everHad(id string) bool {
	keys, _ := s.view.page(uuid.Nil, 1000)
	return slices.ContainsFunc(keys, func(k *key) bool {
		return slices.ContainsFunc(k.backing, func(b hsmpool.ObjectID) bool { return b.String() == id })
	})
}

// expectWorking expects that every key that is enabled encrypts and decrypts,
// also what it has encrypted before.
func (s *service) expectWorking(names map[uuid.UUID]string, before map[string][]byte) {
	s.t.Helper()
	keys, _ := s.view.page(uuid.Nil, 1000)
	for _, k := range keys {
		if k.record.GetState() != enabled {
			continue
		}
		sealed, err := s.encrypt(k.arn)
		if err != nil {
			s.t.Errorf("encrypting under the key %q: %v", names[k.id], err)
		}
		for _, b := range [][]byte{before[names[k.id]], sealed} {
			if b == nil {
				continue
			}
			if res, err := s.Decrypt(s.as(app), &kmsv1.DecryptRequest{CiphertextBlob: b}); err != nil || string(res.GetPlaintext()) != "x" {
				s.t.Errorf("decrypting under the key %q: %v", names[k.id], err)
			}
		}
	}
}

package export

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// publicKeys reads the list of the public keys.
func (w *world) publicKeys() []publicKeyJSON {
	w.Helper()
	content, err := os.ReadFile(w.publicKeysFile())
	must(w, err)
	var list publicKeysJSON
	must(w, json.Unmarshal(content, &list))
	return list.Keys
}

func (w *world) publicKeysFile() string {
	return filepath.Join(w.opts.Directory, w.opts.names().PublicKeys())
}

func fingerprints(keys []publicKeyJSON) (all []string) {
	for _, k := range keys {
		all = append(all, k.Fingerprint)
	}
	return all
}

// A service that got older metadata back does not know a key that has signed, and makes
// another one: the first stays listed.
func TestAKeyThatIsForgottenStaysListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.open()
	must(t, e.Digest(t.Context()))
	first := fingerprints(w.publicKeys())
	w.signer.rotate(t)
	w.signer.keys = w.signer.keys[1:]
	for range 2 {
		must(t, e.Digest(t.Context()))
		got := fingerprints(w.publicKeys())
		if len(got) != 2 || got[0] != first[0] || got[1] == first[0] {
			t.Errorf("listed are %v, want %v and the one that signs now", got, first)
		}
	}
	w.close(e)
}

// What is no list, and what is in it under another key's fingerprint, does not stay.
func TestListsOfKeysThatAreDamaged(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"it is empty":            "",
		"it is cut":              `{"PublicKeyList": [`,
		"a fingerprint is wrong": `{"PublicKeyList": [{"Fingerprint": "00", "Value": "AAAA", "ValidityStartTime": "2026-01-01T00:00:00Z"}]}`,
	}
	for name, content := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			e := w.open()
			must(t, e.Digest(t.Context()))
			want := fingerprints(w.publicKeys())
			must(t, os.WriteFile(w.publicKeysFile(), []byte(content), 0o600))
			must(t, e.Digest(t.Context()))
			if got := fingerprints(w.publicKeys()); !slices.Equal(got, want) {
				t.Errorf("listed are %v, want %v", got, want)
			}
			w.close(e)
		})
	}
}

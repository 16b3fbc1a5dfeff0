package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
)

// publicKeyJSON is a key as CloudTrail's ListPublicKeys has it, as far as we have it.
type publicKeyJSON struct {
	Fingerprint string    `json:"Fingerprint"`
	Value       []byte    `json:"Value"`
	Start       time.Time `json:"ValidityStartTime"`
}

type publicKeysJSON struct {
	Keys []publicKeyJSON `json:"PublicKeyList"`
}

// publishKeys writes the list of the keys, if it has changed. Keys that it has already
// stay in it: the service may not know them any more, after a restore of older metadata,
// and there are digests that they have signed.
func (s *session) publishKeys(keys []cloudtrail.PublicKey) error {
	name := s.names.PublicKeys()
	have, err := os.ReadFile(s.disk.path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the public keys: %w", err)
	}
	content, err := json.MarshalIndent(publicKeysJSON{addKeys(listedKeys(have), keys)}, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the public keys: %w", err)
	}
	content = append(content, '\n')
	if bytes.Equal(have, content) {
		return nil
	}
	if err := s.disk.write(name, content); err != nil {
		return fmt.Errorf("writing the public keys: %w", err)
	}
	return nil
}

// listedKeys returns the keys of a list, without those that are not what they are said
// to be. A list that cannot be read has none.
func listedKeys(content []byte) []publicKeyJSON {
	var list publicKeysJSON
	if err := json.Unmarshal(content, &list); err != nil {
		return nil
	}
	return slices.DeleteFunc(list.Keys, func(k publicKeyJSON) bool {
		_, err := cloudtrail.NewKeys(k.Value)
		return err != nil || cloudtrail.Fingerprint(k.Value) != k.Fingerprint
	})
}

// addKeys appends the keys that are not in the list.
func addKeys(list []publicKeyJSON, keys []cloudtrail.PublicKey) []publicKeyJSON {
	for _, k := range keys {
		listed := func(l publicKeyJSON) bool { return l.Fingerprint == k.Fingerprint }
		if !slices.ContainsFunc(list, listed) {
			list = append(list, publicKeyJSON{Fingerprint: k.Fingerprint, Value: k.DER, Start: k.Created.UTC()})
		}
	}
	return list
}

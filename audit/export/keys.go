package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
)

// publicKeyJSON is a key as CloudTrail's ListPublicKeys has it, as far as we have it.
type publicKeyJSON struct {
	Fingerprint string    `json:"Fingerprint"`
	Value       []byte    `json:"Value"`
	Start       time.Time `json:"ValidityStartTime"`
}

// publishKeys writes the list of the keys, if it has changed.
func (s *session) publishKeys(keys []cloudtrail.PublicKey) error {
	var list struct {
		Keys []publicKeyJSON `json:"PublicKeyList"`
	}
	for _, k := range keys {
		list.Keys = append(list.Keys, publicKeyJSON{Fingerprint: k.Fingerprint, Value: k.DER, Start: k.Created.UTC()})
	}
	content, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the public keys: %w", err)
	}
	content = append(content, '\n')
	name := s.names.PublicKeys()
	if have, err := os.ReadFile(s.disk.path(name)); err == nil && bytes.Equal(have, content) {
		return nil
	}
	if err := s.disk.write(name, content); err != nil {
		return fmt.Errorf("writing the public keys: %w", err)
	}
	return nil
}

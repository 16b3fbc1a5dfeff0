package chaos

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// spellings are the ways in which programs print bytes. Base64 spells them in three
// ways, after what comes before; the characters at both ends depend on the neighbours.
func spellings(secret []byte) []string {
	secret = secret[:min(len(secret), 18)]
	quoted := fmt.Sprintf("%q", secret)
	decimals := strings.Trim(fmt.Sprintf("%d", secret), "[]")
	all := []string{
		string(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)),
		quoted[1 : len(quoted)-1], decimals, strings.ReplaceAll(decimals, " ", ","),
	}
	for shift := range 3 {
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			padded := encoding.EncodeToString(append(make([]byte, shift), secret...))
			all = append(all, padded[(shift*8+5)/6:len(secret)*8/6])
		}
	}
	return all
}

// checkSecrets searches every place for every secret.
func checkSecrets(secrets map[string][]byte, places map[string]string) []violation {
	var found []violation
	for name, secret := range secrets {
		for _, s := range spellings(secret) {
			for place, text := range places {
				if strings.Contains(text, s) {
					found = append(found, violation{"secrets", nil, fmt.Sprintf("%s stands in %s", name, place)})
				}
			}
		}
	}
	return found
}

// checkSecrecy searches both trails, the logs of all servers and the files for the
// PINs, for what begins every plaintext, and for some data keys.
func (w *world) checkSecrecy(events []*event, entries map[string][]*entry) error {
	places := map[string]string{}
	var all strings.Builder
	for _, e := range events {
		all.WriteString(e.text)
	}
	for _, of := range entries {
		for _, e := range of {
			all.WriteString(e.text)
		}
	}
	places["the trails"] = all.String()
	for i, log := range w.logs {
		places[fmt.Sprintf("the log of server %d", i+1)] = log.String()
	}
	err := filepath.WalkDir(w.site.DataDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		places[path] = string(text)
		return err
	})
	secrets := map[string][]byte{"the PIN": []byte(w.site.Token.PIN), "a plaintext": w.checker.hidden}
	password, failed := os.ReadFile(filepath.Join(w.Dir, clusterID, "pin"))
	secrets["the key store's password"] = bytes.TrimSpace(password)
	for i, s := range w.history.secrets {
		secrets[fmt.Sprintf("data key %d", i+1)] = s
	}
	w.objectAll(checkSecrets(secrets, places))
	return errors.Join(err, failed)
}

package hsmpool

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"

	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// idLength is the length of the part after the dash, as AWS has it.
const idLength = 11

// identity is what the audit trails call an HSM, and its token.
type identity struct {
	hsmID, clusterID string
	token            TokenInfo
}

// identify returns the identity of the token that a worker selected. A serial number
// names the same HSM on every machine and after every restart.
func (c Config) identify(t TokenInfo) identity {
	return identity{
		hsmID:     orDefault(c.HSMID, deriveID("hsm", t.Serial)),
		clusterID: orDefault(c.ClusterID, deriveID("cluster", t.Serial)),
		token:     t,
	}
}

// anonymous is the identity of a worker that failed before it could say which token
// it selected: its calls must be recorded somewhere.
func (c Config) anonymous() identity {
	return c.identify(TokenInfo{Label: c.Token.Label, Serial: orDefault(c.Token.Serial, "label:"+c.Token.Label)})
}

// deriveID returns kind, a dash, and 55 bits of the hash of kind and serial.
func deriveID(kind, serial string) string {
	sum := sha256.Sum256([]byte(kind + "\x00" + serial))
	return kind + "-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:idLength]
}

func tokenInfo(t *workerv1.TokenInfo) TokenInfo {
	return TokenInfo{
		Label:              t.GetLabel(),
		Serial:             t.GetSerial(),
		Manufacturer:       t.GetManufacturer(),
		Model:              t.GetModel(),
		FirmwareVersion:    t.GetFirmwareVersion(),
		LibraryDescription: t.GetLibraryDescription(),
		LibraryVersion:     t.GetLibraryVersion(),
	}
}

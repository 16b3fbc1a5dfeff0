package keystore

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// selection stands for what a request selects, without where its pages begin and how
// large they are: a page token is of one selection. It is no secret and keeps nobody
// out; it tells a client that it has changed its question.
type selection uint64

// selectionOf returns the selection of a request to this Region, of which some fields
// besides do not count.
func (k *Keystore) selectionOf(req proto.Message, besides ...protoreflect.Name) selection {
	r := proto.Clone(req).ProtoReflect()
	fields := r.Descriptor().Fields()
	for _, name := range append(besides, "next_token", "max_results", "limit") {
		if f := fields.ByName(name); f != nil {
			r.Clear(f)
		}
	}
	text, _ := proto.MarshalOptions{Deterministic: true}.Marshal(r.Interface()) // requests have nothing that fails
	sum := fnv.New64a()
	for _, part := range [][]byte{[]byte(r.Descriptor().FullName()), []byte(k.scope.region), text} {
		_, _ = sum.Write(append(part, 0)) // it never fails
	}
	return selection(sum.Sum64())
}

// token is the token of the page that begins behind a place.
func (s selection) token(place string) string {
	return base64.RawURLEncoding.EncodeToString(append(binary.BigEndian.AppendUint64(nil, uint64(s)), place...))
}

// place returns the place of a token; not ok if the token is of another selection.
func (s selection) place(token string) (place string, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < 8 || selection(binary.BigEndian.Uint64(b)) != s {
		return "", false
	}
	return string(b[8:]), true
}

// recordToken is the token of the page that begins behind a record of the journal.
func (s selection) recordToken(seq uint64) string { return s.token(strconv.FormatUint(seq, 10)) }

// record returns the record of a token; 0 of none.
func (s selection) record(token string) (seq uint64, ok bool) {
	if token == "" {
		return 0, true
	}
	place, ok := s.place(token)
	if !ok {
		return 0, false
	}
	seq, err := strconv.ParseUint(place, 10, 64)
	return seq, err == nil
}

// pageBehind returns the part of a sorted list that is behind a name, up to a limit, and
// whether there is more.
func pageBehind[T any](all []T, name func(T) string, behind string, limit int) (page []T, more bool) {
	from := 0
	for behind != "" && from < len(all) && name(all[from]) <= behind {
		from++
	}
	page = all[from:]
	if len(page) > limit {
		return page[:limit], true
	}
	return page, false
}

package ckr_test

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
)

var update = flag.Bool("update", false, "write the golden file anew")

// TestFates compares the verdict on every return code of the standard, and one of a
// vendor's, from every call that the worker makes, with the golden file.
func TestFates(t *testing.T) {
	path := filepath.Join("testdata", "fates.golden")
	got := printFates()
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("the table of fates has changed; if it should, run go test ./hsmpool/ckr -update (-want +got):\n%s", diff)
	}
}

// calls are those that the worker makes under a profile, with the mechanisms that each is made by.
func calls(profile string) []ckr.Call {
	signs := "CKM_RSA_PKCS CKM_RSA_PKCS_PSS CKM_ECDSA CKM_EDDSA CKM_SHA224_HMAC CKM_SHA256_HMAC CKM_SHA384_HMAC CKM_SHA512_HMAC"
	decrypts := "CKM_AES_GCM CKM_RSA_PKCS_OAEP CKM_RSA_X_509 CKM_AES_ECB"
	var all []ckr.Call
	for _, c := range []struct{ functions, mechanisms string }{
		{"C_Initialize C_Finalize C_GetSlotList C_GetTokenInfo C_GetMechanismList C_GetMechanismInfo C_OpenSession C_Login C_Logout", ""},
		{"C_FindObjectsInit C_FindObjects C_FindObjectsFinal C_GetAttributeValue C_CreateObject C_DestroyObject C_GenerateRandom", ""},
		{"C_EncryptInit C_Encrypt", "CKM_AES_GCM"},
		{"C_DecryptInit C_Decrypt", decrypts},
		{"C_SignInit C_Sign", signs},
		{"C_VerifyInit C_Verify", "CKM_ECDSA"},
		{"C_DigestInit C_DigestKey C_DigestUpdate C_DigestFinal", "CKM_SHA256"},
		{"C_GenerateKey", "CKM_AES_KEY_GEN CKM_GENERIC_SECRET_KEY_GEN"},
		{"C_GenerateKeyPair", "CKM_RSA_PKCS_KEY_PAIR_GEN CKM_EC_KEY_PAIR_GEN CKM_EC_EDWARDS_KEY_PAIR_GEN"},
		{"C_WrapKey", "CKM_AES_KEY_WRAP_PAD"},
		{"C_UnwrapKey", "CKM_RSA_PKCS_OAEP CKM_RSA_AES_KEY_WRAP CKM_AES_KEY_WRAP_PAD"},
		{"C_DeriveKey", "CKM_ECDH1_DERIVE"},
	} {
		for function := range strings.FieldsSeq(c.functions) {
			for mechanism := range strings.SplitSeq(c.mechanisms, " ") {
				all = append(all, ckr.Call{Profile: profile, Function: function, Mechanism: mechanism})
			}
		}
	}
	return all
}

func profiles() []string {
	return []string{ckr.ProfileSoftHSM, ckr.ProfileCloudHSM, ckr.ProfilePKCS11}
}

// printFates prints the table: codes together of which the same becomes everywhere, and
// of each the profiles together that have it so.
func printFates() []byte {
	hints := []string{""}
	codes := append(ckr.All()[1:], ckr.RV(0x80000001)) // without CKR_OK
	var out bytes.Buffer
	fmt.Fprint(&out, "What becomes of the return codes of PKCS#11, by go test ./hsmpool/ckr -update.\n"+
		"The first verdict is that on all calls which are not named. A number is the hint's, below.\n")
	eachGroup(codes, ckr.RV.String, func(rv ckr.RV) string {
		var block strings.Builder
		eachGroup(profiles(), strings.Clone, func(profile string) string { return printVerdicts(calls(profile), rv, &hints) },
			func(profiles []string, verdicts string) {
				fmt.Fprintf(&block, "  %s\n%s", strings.Join(profiles, ", "), verdicts)
			})
		return strings.ReplaceAll(block.String(), "  "+strings.Join(profiles(), ", ")+"\n", "")
	}, func(codes []string, block string) {
		fmt.Fprintf(&out, "\n%s\n%s", strings.Join(codes, "\n"), block)
	})
	fmt.Fprint(&out, "\nHints\n")
	for i, hint := range hints[1:] {
		fmt.Fprintf(&out, "%4d  %s\n", i+1, hint)
	}
	return out.Bytes()
}

// printVerdicts prints a line for each verdict on a code, that on the most calls first.
func printVerdicts(calls []ckr.Call, rv ckr.RV, hints *[]string) string {
	by := map[string][]ckr.Call{}
	for _, at := range calls {
		verdict := printVerdict(ckr.Decide(at, rv), hints)
		by[verdict] = append(by[verdict], at)
	}
	var out strings.Builder
	for i, verdict := range slices.SortedFunc(maps.Keys(by), func(a, b string) int {
		return cmp.Or(len(by[b])-len(by[a]), strings.Compare(a, b))
	}) {
		line := fmt.Sprintf("    %-28s", verdict)
		if i > 0 {
			line += " " + printCalls(by[verdict])
		}
		fmt.Fprintln(&out, strings.TrimRight(line, " "))
	}
	return out.String()
}

// printCalls names a function alone if all its mechanisms are there.
func printCalls(some []ckr.Call) string {
	count := func(calls []ckr.Call, function string) (n int) {
		for _, c := range calls {
			if c.Function == function {
				n++
			}
		}
		return n
	}
	var all []string
	for _, c := range some {
		name := c.Function
		if count(some, name) < count(calls(c.Profile), name) {
			name += " by " + c.Mechanism
		}
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return strings.Join(all, ", ")
}

// printVerdict numbers the hints as they come up.
func printVerdict(v ckr.Verdict, hints *[]string) string {
	if !slices.Contains(*hints, v.Hint) {
		*hints = append(*hints, v.Hint)
	}
	class := strings.ToLower(strings.TrimPrefix(v.Class.String(), "FAILURE_CLASS_"))
	text := fmt.Sprintf("%s, %s", v.Fate, strings.ReplaceAll(class, "_", " "))
	if v.Hint != "" {
		text += fmt.Sprintf(" %d", slices.Index(*hints, v.Hint))
	}
	return text
}

// eachGroup calls do with the names of those that have the same text, and with it, in the
// order in which they first come up.
func eachGroup[T any](all []T, name func(T) string, text func(T) string, do func(names []string, text string)) {
	names := map[string][]string{}
	var order []string
	for _, one := range all {
		t := text(one)
		if names[t] == nil {
			order = append(order, t)
		}
		names[t] = append(names[t], name(one))
	}
	for _, t := range order {
		do(names[t], t)
	}
}

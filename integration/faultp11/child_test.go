package faultp11_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/miekg/pkcs11" //nolint:depguard // the library under test is one
)

// another runs calls in a process of its own and returns what they answered, or what has
// ended it.
func another(tb testing.TB, calls ...string) string {
	tb.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(os.Args[0], append([]string{"child"}, calls...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return strings.TrimSpace(string(out) + status.Signal().String())
		}
		for sign, word := range map[string]string{"SIGSEGV": "crashed", "faultp11: ": "given up"} {
			if strings.Contains(stderr.String(), sign) { // Go prints a trace and exits
				return strings.TrimSpace(string(out) + word)
			}
		}
	}
	if err != nil {
		tb.Fatalf("the other process: %v\n%s", err, &stderr)
	}
	return strings.TrimSpace(string(out))
}

// child makes calls and prints what each answers.
func child(calls []string) int {
	ctx := pkcs11.New(os.Getenv("FAULTP11_TEST_PATH"))
	if err := ctx.Initialize(); err != nil {
		fmt.Println(rv(err))
		return 0
	}
	slots, err := ctx.GetSlotList(true)
	if err != nil || len(slots) == 0 {
		fmt.Println(slots, err)
		return 1
	}
	session, err := ctx.OpenSession(slots[0], pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		fmt.Println(rv(err))
		return 0
	}
	for _, call := range calls {
		name, argument, _ := strings.Cut(call, " ")
		fmt.Println(one(ctx, session, name, argument))
	}
	return 0
}

// one makes a call.
func one(ctx *pkcs11.Ctx, session pkcs11.SessionHandle, name, argument string) any {
	var err error
	switch name {
	case "login":
		err = ctx.Login(session, pkcs11.CKU_USER, argument)
	case "random":
		_, err = ctx.GenerateRandom(session, 8)
	case "generate":
		_, err = ctx.GenerateKey(session, aesGen(), aesTemplate(argument))
	case "find":
		var found []pkcs11.ObjectHandle
		if found, err = find(ctx, session, argument); err == nil {
			return found
		}
	}
	return rv(err)
}

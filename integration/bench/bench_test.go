package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMain makes the test program a child process of the benchmark when it is
// started as one.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-child") {
		main()
		return
	}
	os.Exit(m.Run())
}

// A short run measures every row, and relates the operations to the floors.
func TestRunMeasuresEveryRow(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program and starts many processes")
	}
	t.Chdir("../..")
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-duration", "200ms", "-warmup", "50ms", "-in-flight", "1,8", "-json"}, &out); err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s", err, out.Bytes())
	}
	want := []string{
		rowToken + " 1", rowNoop + " 1", rowNoop + " 8", rowJournal + " 1", rowJournal + " 8",
	}
	for _, operation := range []string{opEncrypt, opDecrypt, opDataKey} {
		for _, n := range []string{" 1", " 8"} {
			want = append(want, operation+n, operation+suffixAWS+n)
		}
	}
	var got []string
	for _, row := range r.Rows {
		got = append(got, fmt.Sprint(row.Name, " ", row.InFlight))
		if row.PerSecond <= 0 || row.P50 <= 0 || row.Name == opEncrypt && (row.Server <= 0 || row.Ratio <= 0) ||
			strings.HasSuffix(row.Name, suffixAWS) && row.TimesGRPC <= 0 {
			t.Errorf("something was not measured: %+v", row)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// The ratio compares an operation with the floors at as many requests in
// flight; the token's floor is the same for all.
func TestRatioIsSumOfFloorsOverCost(t *testing.T) {
	r := &report{Machine: "one", Rows: []row{
		{Name: rowToken, InFlight: 1, CPU: 20},
		{Name: rowNoop, InFlight: 16, CPU: 25},
		{Name: rowNoop, InFlight: 64, CPU: 15},
		{Name: rowJournal, InFlight: 64, CPU: 5},
		{Name: opEncrypt, InFlight: 64, CPU: 80, Server: 50, Worker: 30, PerSecond: 1000, P50: 10, P99: 20},
	}}
	r.addRatios()
	if got := r.Rows[4]; got.Floor != 40 || got.Ratio != 0.5 {
		t.Errorf("floors %v, ratio %v, want 40 and 0.5", got.Floor, got.Ratio)
	}
	var out strings.Builder
	if err := r.print(&out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "Encrypt         64        1000      10      20    80.0    50.0    30.0    40.0        0.50") {
		t.Errorf("the table has no good line for Encrypt:\n%s", out.String())
	}
}

func TestNumbersInFlight(t *testing.T) {
	for text, want := range map[string][]int{"1": {1}, "1,16,64": {1, 16, 64}, "": nil, "0": nil, "1,,2": nil, "5000": nil} {
		got, err := numbers(text)
		if (err == nil) != (want != nil) || !cmp.Equal(got, want) && err == nil {
			t.Errorf("numbers(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
}

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Names of the floors; the other rows have the names of operations.
const (
	rowToken   = "token AES-GCM, C"
	rowNoop    = "no-op gRPC, TLS"
	rowJournal = "journal record"
)

// suffixAWS makes the name of an operation that of the same for AWS clients.
const suffixAWS = ", AWS JSON"

// row is one measurement. Times are in microseconds.
type row struct {
	Name      string  `json:"name"`
	InFlight  int     `json:"inFlight"`
	PerSecond float64 `json:"perSecond"`
	// CPU is CPU time per request, of server and worker together; Server and
	// Worker are its parts, where there are two processes.
	CPU    float64 `json:"cpuMicros"`
	Server float64 `json:"serverCPUMicros,omitempty"`
	Worker float64 `json:"workerCPUMicros,omitempty"`
	P50    float64 `json:"p50Micros"`
	P99    float64 `json:"p99Micros,omitempty"`
	// Floor is the sum of the floors' CPU, and Ratio that over CPU: 1 would be
	// a service that costs nothing itself.
	Floor float64 `json:"floorCPUMicros,omitempty"`
	Ratio float64 `json:"ratio,omitempty"`
	// TimesGRPC is the server's CPU for AWS clients over that for gRPC.
	TimesGRPC float64 `json:"timesGRPC,omitempty"`
}

// report is everything measured in a run.
type report struct {
	Machine string `json:"machine"`
	Rows    []row  `json:"rows"`
}

// addRatios compares the operations with the sum of the floors, and those for AWS
// clients with the same over gRPC.
func (r *report) addRatios() {
	for i := range r.Rows {
		f := &r.Rows[i]
		switch f.Name {
		case opEncrypt, opDecrypt, opDataKey:
			f.Floor = r.find(rowToken, 1).CPU + r.find(rowNoop, f.InFlight).CPU + r.find(rowJournal, f.InFlight).CPU
			f.Ratio = ratio(f.Floor, f.CPU)
		case opEncrypt + suffixAWS, opDecrypt + suffixAWS, opDataKey + suffixAWS:
			f.TimesGRPC = ratio(f.Server, r.find(strings.TrimSuffix(f.Name, suffixAWS), f.InFlight).Server)
		}
	}
}

// ratio is 0 when a run was too short for the second time to be told from none.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// find returns a row, or an empty one.
func (r *report) find(name string, inFlight int) row {
	for _, f := range r.Rows {
		if f.Name == name && f.InFlight == inFlight {
			return f
		}
	}
	return row{}
}

// print writes a table.
func (r *report) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s\n\n", r.Machine)
	fmt.Fprintln(t, "\tin flight\tper second\tp50 µs\tp99 µs\tCPU µs\tserver\tworker\tfloors\tfloors/CPU\tserver/gRPC\t")
	for _, row := range r.Rows {
		fmt.Fprintf(t, "%s\t%d\t%.0f\t%.0f\t%s\t%.1f\t%s\t%s\t%s\t%s\t%s\t\n",
			row.Name, row.InFlight, row.PerSecond, row.P50, number("%.0f", row.P99), row.CPU,
			number("%.1f", row.Server), number("%.1f", row.Worker), number("%.1f", row.Floor), number("%.2f", row.Ratio), number("%.2f", row.TimesGRPC))
	}
	return t.Flush()
}

// number prints a measurement, or nothing where there is none.
func number(format string, v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf(format, v)
}

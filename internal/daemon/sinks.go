package daemon

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/strongroom-kms/strongroom/audit/ship"
	"github.com/strongroom-kms/strongroom/audit/ship/otlp"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// cursorFile is where a sink remembers how far it has come.
func (d *daemon) cursorFile(sink string) string {
	return filepath.Join(d.config.DataDir, "cursors", sink+".json")
}

// addSink takes over a sink that is sent the trails.
func (d *daemon) addSink(s ship.Sink) {
	d.sinks = append(d.sinks, s)
	d.parts.add("sending of the trails to "+s.Status().Name, s.Close)
}

// openOTLP begins to send both trails to a collector, which need not be there.
func (d *daemon) openOTLP(context.Context) error {
	c := d.config.Audit.OTLP
	if c.Endpoint == "" {
		return nil
	}
	sender, err := otlp.New(otlp.Options{
		Endpoint: c.Endpoint, Protocol: c.Protocol, CA: c.CA, HeadersFile: c.HeadersFile,
		Journal: d.journal, Version: version(), ClusterOf: d.clusterOf,
	})
	if err != nil {
		return fmt.Errorf("audit.otlp: %w", err)
	}
	runner, err := ship.Open(ship.Options{
		Name: "otlp", Required: c.Required, Trail: d.trail, Journal: d.journal,
		Cursor: d.cursorFile("otlp"), Sender: sender, Logger: d.logger.Named("otlp"),
	})
	if err != nil {
		return fmt.Errorf("audit.otlp: %w", err)
	}
	d.addSink(runner)
	return nil
}

// describeSink describes a sink for operators.
func describeSink(s ship.Status) *operatorv1.AuditSink {
	sink := &operatorv1.AuditSink{
		Name: &s.Name, Required: &s.Required, Sequence: &s.Sequence,
		LagRecords: &s.LagRecords, LagMilliseconds: new(s.LagOldest.Milliseconds()),
	}
	if s.LastError != "" {
		sink.LastError = &s.LastError
	}
	return sink
}

package daemon

import (
	"context"
	"os"
)

// warnOfOpenFiles tells the operator of files with secrets that others than
// their owner may read. It is no reason not to start: who may read what can be
// meant so.
func (d *daemon) warnOfOpenFiles(context.Context) error {
	for name, path := range map[string]string{
		"hsm.pin.file": d.config.HSM.PIN.File, "tls.key": d.config.TLS.Key,
		"audit.s3.access_key_file": d.config.Audit.S3.AccessKeyFile, "audit.otlp.headers_file": d.config.Audit.OTLP.HeadersFile,
		"opentelemetry.headers_file": d.config.OpenTelemetry.HeadersFile,
	} {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			continue // whoever needs the file says so
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			d.logger.Warn("a file with a secret can be read by others than its owner; chmod 0400 it", "setting", name, "file", path, "mode", mode.String())
		}
	}
	return nil
}

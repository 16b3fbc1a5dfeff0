package daemon

import (
	"context"

	"github.com/strongroom-kms/strongroom/server/awsapi"
	"github.com/strongroom-kms/strongroom/server/awsapi/sigv4"
	"github.com/strongroom-kms/strongroom/server/httpserve"
)

// serveAWS answers AWS clients until ctx ends.
func (d *daemon) serveAWS(ctx context.Context) error {
	logger := d.logger.Named("awsapi")
	verifier := sigv4.New(sigv4.Config{
		Credentials: accessKeys{d.keystore},
		Region:      func(name string) bool { _, ok := d.keystore.Region(name); return ok },
	})
	handler, err := awsapi.NewHandler(awsapi.Config{
		API: d.keystore.Describe(), Operations: d.server, Verifier: verifier, MaxArriving: d.config.Limits.MaxConnections, Logger: logger,
	})
	if err != nil {
		return err
	}
	c := httpserve.Config{For: "AWS clients", Handler: handler, MaxConnections: d.config.Limits.MaxConnections, DrainTimeout: d.config.Limits.DrainTimeout, Logger: logger}
	if !d.config.AWS.Plaintext {
		if c.TLS, err = d.tlsFiles().HTTPConfig(logger); err != nil {
			return err
		}
	}
	logger.Info("serving AWS clients", "address", d.aws.Addr().String(), "tls", c.TLS != nil)
	return httpserve.Serve(ctx, d.aws, c)
}

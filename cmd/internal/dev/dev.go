package dev

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/client"
	"github.com/strongroom-kms/strongroom/cmd/internal/tour"
	"github.com/strongroom-kms/strongroom/internal/atomicfile"
	"github.com/strongroom-kms/strongroom/internal/devserver"
)

// Options are the flags of `strongroom dev`.
type Options struct {
	// DataDir keeps everything; it is made if missing.
	DataDir string
	// Listen is a loopback address, "host:port".
	Listen string
	// AWSListen is the same for AWS clients.
	AWSListen string
	// MetricsListen is the same for Prometheus and the console; empty: there is neither.
	MetricsListen string
	// AccessKey is what AWS clients sign with, as the principal admin.
	AccessKey devserver.AccessKey
	// Account is the account number of everything.
	Account string
	// Regions are the Regions, the default one first; nil: one alone.
	Regions []string
	// Library is the path of the SoftHSM library; empty: the usual places.
	Library string
	// Tour makes a first round trip once the server serves.
	Tour bool
	// AcceptNewJournal is daemon.Options.AcceptNewJournal.
	AcceptNewJournal bool
	// Output is where to say what to do next.
	Output io.Writer
	// Logger takes the server's log.
	Logger hclog.Logger
}

// Run serves until ctx ends.
func Run(ctx context.Context, o Options) error {
	return o.serve(ctx, []devserver.ClusterOptions{{ID: clusterID}}, o.welcome)
}

func (o Options) serve(ctx context.Context, clusters []devserver.ClusterOptions, serving func(context.Context, *devserver.Site) error) error {
	return devserver.Run(ctx, devserver.Options{
		DataDir:          o.DataDir,
		Listen:           o.Listen,
		AWSListen:        o.AWSListen,
		MetricsListen:    o.MetricsListen,
		AccessKey:        o.AccessKey,
		Account:          o.Account,
		Regions:          o.Regions,
		Library:          o.Library,
		Clusters:         clusters,
		AcceptNewJournal: o.AcceptNewJournal,
		Logger:           o.Logger,
		Serving:          serving,
	})
}

const (
	// admin is the principal that the tour and the env file are for.
	admin = "admin"
	// clusterID is that of the cluster for a first custom key store.
	clusterID = "cluster-strongroomdev"
	// clusterVariable is the cluster's directory, in the env file.
	clusterVariable = "STRONGROOM_DEV_CLUSTER"
)

// welcome says what to do next.
func (o Options) welcome(ctx context.Context, site *devserver.Site) error {
	env, err := o.writeEnv(site)
	if err != nil {
		return err
	}
	if o.Tour {
		if err := o.tour(ctx, site); err != nil {
			return fmt.Errorf("tour: %w", err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.Output, banner, site.Dir, site.Address, shellQuote(env), pathLine(self), site.AWSAddress, filepath.Join(site.Dir, "trail"), site.MetricsAddress, site.ConsoleURL)
	return err
}

func (o Options) tour(ctx context.Context, site *devserver.Site) error {
	config, err := site.Connection(admin)
	if err != nil {
		return err
	}
	c, err := client.Dial(site.Address, config)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // all calls are over
	return tour.Run(ctx, c, o.Output)
}

const banner = `
NOT FOR PRODUCTION: the PIN and all private keys lie in %s

Strongroom serves on %s. To use it, paste into another shell:

    . %s
%s    KEY=$(strongroom key create --quiet)
    echo 'hello' | strongroom encrypt --key "$KEY" | strongroom decrypt
    strongroom events tail

AWS clients reach it on http://%s; the file above tells them so:

    aws kms create-key

A custom key store on a token of its own:

    strongroom key-store create --name second --cluster ` + clusterID + ` \
        --trust-anchor "$` + clusterVariable + `/ca.pem" --password-file "$` + clusterVariable + `/pin"

CloudTrail log files appear in %s, with signed digests when
it stops; metrics are on http://%s/metrics. The console is at %s;
this prints a link that signs you in:

    strongroom console

Ctrl-C stops it; the next start has the same keys.
`

// awsVariables point AWS clients here. A secret that the user has brought stays
// out of the file.
func (o Options) awsVariables(site *devserver.Site) [][2]string {
	var variables [][2]string
	for _, service := range []string{"KMS", "CLOUDTRAIL", "CLOUDWATCH_LOGS", "CLOUDHSM_V2", "CLOUDWATCH"} {
		variables = append(variables, [2]string{"AWS_ENDPOINT_URL_" + service, "http://" + site.AWSAddress})
	}
	variables = append(variables, [][2]string{
		{"AWS_REGION", site.Region}, {"AWS_DEFAULT_REGION", site.Region}, // for SDKs, and for aws-cli and boto3
	}...)
	if o.AccessKey == DefaultAccessKey() {
		variables = append(variables, [2]string{"AWS_ACCESS_KEY_ID", o.AccessKey.ID}, [2]string{"AWS_SECRET_ACCESS_KEY", o.AccessKey.Secret})
	}
	return variables
}

// DefaultAccessKey is what AWS clients sign with when nobody says otherwise.
func DefaultAccessKey() devserver.AccessKey { return devserver.AccessKey{ID: "test", Secret: "test"} }

// writeEnv writes the file for a shell to source and returns its path. It is
// done when the server serves: the file of a running server must not be lost to
// a second one that cannot start.
func (o Options) writeEnv(site *devserver.Site) (string, error) {
	variables, err := site.Env(admin)
	if err != nil {
		return "", err
	}
	variables = append(variables, o.awsVariables(site)...)
	var b strings.Builder
	b.WriteString("# Source this to use the development server as the principal admin (policy admin).\n")
	b.WriteString("# For the principals app (policy user) and auditor set the client files to tls/app.pem\n")
	b.WriteString("# and tls/app-key.pem, or tls/auditor.pem and tls/auditor-key.pem.\n")
	b.WriteString("# " + clusterVariable + " is the directory of a second token, for a custom key store.\n")
	for _, c := range site.Clusters {
		variables = append(variables, [2]string{clusterVariable, filepath.Dir(c.Password)})
	}
	for _, v := range variables {
		fmt.Fprintf(&b, "export %s=%s\n", v[0], shellQuote(v[1]))
	}
	path := filepath.Join(site.Dir, "env")
	return path, atomicfile.WriteBytes(path, atomicfile.Replace, 0o644, []byte(b.String()))
}

// shellQuote makes one word of s for any POSIX shell.
func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

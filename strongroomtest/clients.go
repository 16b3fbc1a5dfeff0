package strongroomtest

import (
	"github.com/strongroom-kms/strongroom/client"
)

// Client calls the server as the named principal. It is closed with the server;
// a second call returns the same one.
func (s *Server) Client(principal string) *client.Client {
	s.t.Helper()
	c, err := s.instance.client(principal)
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	return c
}

// Config has the files with which the principal calls the server, for a
// client.Dial of the test's own or for a client in another process.
func (s *Server) Config(principal string) client.Config {
	s.t.Helper()
	c, err := s.current().connection(principal)
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	return c
}

// Env is the environment, as "NAME=value", in which the command strongroom calls
// the server as the principal.
func (s *Server) Env(principal string) []string {
	s.t.Helper()
	variables, err := s.current().site.Env(principal)
	if err != nil {
		s.t.Fatalf("%v: see WithPrincipal", err)
	}
	var env []string
	for _, v := range variables {
		env = append(env, v[0]+"="+v[1])
	}
	return env
}

// awsKey is id and secret of the access key that every server knows.
const awsKey = "test"

// AWS is where and how AWS clients reach a server.
type AWS struct {
	// URL is the endpoint, plain HTTP on a loopback address.
	URL string
	// AccessKeyID and Secret sign as the first principal.
	AccessKeyID, Secret string
	// Region is the default one.
	Region string
}

// AWS is how AWS clients reach the server.
func (s *Server) AWS() AWS {
	s.t.Helper()
	site := s.current().site
	return AWS{URL: "http://" + site.AWSAddress, AccessKeyID: awsKey, Secret: awsKey, Region: site.Region}
}

// ARN is the principal's name in policies and events.
func (s *Server) ARN(principal string) string {
	s.t.Helper()
	site := s.current().site
	for _, p := range site.Principals {
		if p.Name == principal {
			return site.ARN(p)
		}
	}
	s.t.Fatalf("there is no principal %q: see WithPrincipal", principal)
	return ""
}

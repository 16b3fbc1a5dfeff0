package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"
)

// maxFileSize is the limit for a configuration file in bytes. It keeps a wrong
// path from filling the memory.
const maxFileSize = 4 << 20

// Load reads and validates a configuration file. The error, if it is about
// what the file says, is an Errors.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if len(text) > maxFileSize {
		return nil, fmt.Errorf("reading the configuration: %s is larger than %d bytes", path, maxFileSize)
	}
	return parse(path, text)
}

func parse(path string, text []byte) (*Config, error) {
	c := Default()
	c.file = path
	// A second reading, because the decoder does not say where fields stand. A
	// fault of the syntax is left to the first.
	var root yaml.Node
	_ = yaml.Unmarshal(text, &root)
	c.lines = linesOf(&root)
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	switch err := d.Decode(c); {
	case errors.Is(err, io.EOF):
		return nil, Errors{{File: path, Reason: "the file is empty"}}
	case err != nil:
		return nil, decodeErrors(path, &root, err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, Errors{{File: path, Reason: "the file has more than one YAML document"}}
	}
	if err := fractions(path, &root); err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return c, nil
}

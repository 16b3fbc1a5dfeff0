package faultp11

import (
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed lib/*.c lib/*.h
var sources embed.FS

// flags are what cc is given beside the sources.
func flags() []string {
	return []string{"-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-fvisibility=hidden", "-shared", "-pthread"}
}

// Compile compiles the library into dir, unless it is there already, and returns its
// path. The sources are a part of the calling program; it needs cc.
func Compile(ctx context.Context, dir string) (string, error) {
	name, err := fingerprint()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	work, err := os.MkdirTemp(dir, "building-")
	if err != nil {
		return "", fmt.Errorf("compiling the library of faults: %w", err)
	}
	output := filepath.Join(work, name)
	err = compileIn(ctx, work, output)
	if err == nil {
		err = os.Rename(output, path) // whoever is first; they are all the same
	}
	if err := errors.Join(err, os.RemoveAll(work)); err != nil {
		return "", fmt.Errorf("compiling the library of faults: %w", err)
	}
	return path, nil
}

// fingerprint is the file name of the library that is compiled of these sources.
func fingerprint() (string, error) {
	h := sha256.New()
	_, _ = fmt.Fprintln(h, flags()) // never fails
	err := fs.WalkDir(sources, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := sources.ReadFile(path)
		_, _ = fmt.Fprintf(h, "%s %d\n%s", path, len(content), content)
		return err
	})
	return fmt.Sprintf("faultp11-%x.so", h.Sum(nil)[:8]), err
}

func compileIn(ctx context.Context, work, output string) error {
	if err := os.CopyFS(work, sources); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(work, "lib", "*.c"))
	if err != nil {
		return err
	}
	return cc(ctx, output, append(files, "-ldl")...)
}

func cc(ctx context.Context, output string, args ...string) error {
	args = append(append(flags(), "-o", output), args...)
	if out, err := exec.CommandContext(ctx, "cc", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("cc: %w: %s", err, out)
	}
	return nil
}

// Cached is Compile into the user's directory of cached files, so that it is done once for
// all programs.
func Cached(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("looking for a place for the library of faults: %w", err)
	}
	dir := filepath.Join(cache, "strongroom-faultp11")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making a place for the library of faults: %w", err)
	}
	return Compile(ctx, dir)
}

// Build is Cached for a test.
func Build(tb testing.TB) string {
	tb.Helper()
	path, err := Cached(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

// Preset compiles a library that needs no environment, since it knows l's. It is for
// programs that let nobody choose the environment of their workers.
func (l *Library) Preset(ctx context.Context) (string, error) {
	var set strings.Builder
	for _, variable := range l.Env() {
		name, value, _ := strings.Cut(variable, "=")
		_, _ = fmt.Fprintf(&set, "\tsetenv(%q, %q, 1);\n", name, value)
	}
	source := filepath.Join(l.dir, "preset.c")
	program := fmt.Sprintf("#include <stdlib.h>\n__attribute__((constructor)) static void preset(void)\n{\n%s}\n", &set)
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		return "", fmt.Errorf("writing what the library of faults is preset by: %w", err)
	}
	output := filepath.Join(l.dir, "preset.so")
	// dlsym finds C_GetFunctionList in what the library is linked with.
	err := cc(ctx, output, source, "-Wl,--no-as-needed", l.path)
	if err != nil {
		return "", fmt.Errorf("presetting the library of faults: %w", err)
	}
	return output, nil
}

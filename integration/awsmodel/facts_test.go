package awsmodel_test

// facts are what the model or the API says, by the name of what it is said of:
// an operation, a structure, an enum or an error, and then what belongs to it.
type facts map[string]string

// add adds a fact, and says whether it is new.
func (f facts) add(path, text string) bool {
	_, known := f[path]
	f[path] = text
	return !known
}

// value is what is said of a member.
type value struct {
	kind, size, pattern            string
	keySize, itemSize, itemPattern string
	required, secret               bool
}

// addTo adds what is said of the member at path.
func (v value) addTo(f facts, path string) {
	f[path] = v.kind
	for name, text := range map[string]string{
		" size":         v.size,
		" pattern":      v.pattern,
		" key size":     v.keySize,
		" item size":    v.itemSize,
		" item pattern": v.itemPattern,
	} {
		if text != "" {
			f[path+name] = text
		}
	}
	if v.required {
		f[path+" required"] = "yes"
	}
	if v.secret {
		f[path+" secret"] = "yes"
	}
}

// exception says what an error is.
func exception(fault bool) string {
	if fault {
		return "the service's error"
	}
	return "the caller's error"
}

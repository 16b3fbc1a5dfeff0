package policy

// expect refuses a value of another type.
func (n node) expect(want kind) error {
	if n.kind != want {
		return malformed(n.where, "is %s, and must be %s", n.kind, want)
	}
	return nil
}

// elements returns a list's elements, or the value itself for what stands alone.
// There is at least one.
func (n node) elements() ([]node, error) {
	if n.kind != list {
		return []node{n}, nil
	}
	if len(n.items) == 0 {
		return nil, malformed(n.where, "is empty")
	}
	return n.items, nil
}

// strings returns the elements as strings, none of them empty.
func (n node) strings() ([]node, error) {
	all, err := n.elements()
	if err != nil {
		return nil, err
	}
	for _, item := range all {
		if item.kind != text {
			return nil, malformed(item.where, "is %s, and must be a string or a list of strings", item.kind)
		}
		if item.text == "" {
			return nil, malformed(item.where, "is empty")
		}
	}
	return all, nil
}

// scalars returns the elements as the text of strings, numbers and booleans.
func (n node) scalars() ([]node, error) {
	all, err := n.elements()
	if err != nil {
		return nil, err
	}
	for _, item := range all {
		switch item.kind {
		case text, number, boolean:
		default:
			return nil, malformed(item.where, "is %s, and must be a string, a number or a boolean", item.kind)
		}
	}
	return all, nil
}

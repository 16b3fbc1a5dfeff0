package cli

// maxMessage is the most bytes that the API signs or authenticates in one
// request.
const maxMessage = 4096

// readMessage reads what is signed or authenticated. The secret parts of a
// command line's input are read from files, too: others can see a command line.
func readMessage(p *Process, path, remedy string) ([]byte, error) {
	message, err := readInput(p, path)
	if err != nil {
		return nil, err
	}
	if len(message) > maxMessage {
		return nil, usagef("the message is longer than 4,096 bytes%s", remedy)
	}
	return message, nil
}

// readSignature reads a signature or an authentication code, in base64 or as it
// is. The message comes from another file.
func readSignature(p *Process, flag, path, message string) ([]byte, error) {
	if path == "-" && message == "-" {
		return nil, usagef("the message and %s cannot both be standard input", flag)
	}
	input, err := readInput(p, path)
	if err != nil {
		return nil, err
	}
	if len(input) > maxInput {
		return nil, usagef("%s is longer than %d bytes", flag, maxInput)
	}
	return ciphertext(input), nil
}

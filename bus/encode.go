package bus

import (
	"bytes"
	"encoding/json"
)

// EncodeJSON encodes a body. Unlike json.Marshal it leaves <, > and & alone, so that the data of events arrives
// byte for byte as it stands in the log.
func EncodeJSON(body any) ([]byte, error) {
	var encoded bytes.Buffer
	e := json.NewEncoder(&encoded)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(encoded.Bytes(), []byte("\n")), nil
}

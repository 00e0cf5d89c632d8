package keepalived

import "errors"

func (director) LookupPort(service, _ string) uint16 {
	return map[string]uint16{"http": 80, "https": 443, "smtp": 25}[service]
}

func (director) LookupHost(name string) ([]string, error) {
	if name == "localhost" {
		return []string{"127.0.0.1"}, nil
	}
	return nil, errors.New("nobody knows it")
}

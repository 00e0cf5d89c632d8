package probe

// ParseAnswer is for the fuzzer.
var ParseAnswer = parseAnswer

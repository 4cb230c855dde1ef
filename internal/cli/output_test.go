package cli

// formats are the names of all formats that every command that looks has.
var formats = answerFormats()

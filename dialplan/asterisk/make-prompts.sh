#!/bin/sh
# Makes the prompts in sounds/callcontrol: 8 kHz mu-law. Needs espeak-ng and sox.
# Record your own over them: same names, any format your Asterisk reads.
set -eu
cd "$(dirname "$0")/sounds/callcontrol"

say() {
    espeak-ng -v en-us -s 165 --stdout "$2" |
        sox -t wav - -r 8000 -c 1 -t ul "$1.ulaw" highpass 200 norm -3 silence 1 0.01 0.5% reverse silence 1 0.01 0.5% reverse
}

say press-1-to-accept "You have a live transfer. Press 1 to take the call, 2 to decline."
say taken "Thank you. A colleague has already taken this call. Goodbye."
say lead-gone "The caller has hung up. Goodbye."
say called-off "The transfer was called off. Goodbye."
say failed "Sorry, the call could not be connected. Goodbye."
say goodbye "Goodbye."
say please-hold "One moment, please."
say call-you-back "Sorry, nobody is free right now. We will call you back as soon as possible. Goodbye."
say agent-available "You are available."
say agent-unavailable "You are off. No calls will be transferred to you."
say agent-resting "You are resting."
say agent-off-duty "You are available, but outside your hours."
say agent-elsewhere "Your availability is set in your own system, not by this phone."
say agent-unknown "This phone belongs to no agent."
say agent-unanswered "Sorry, the system can not be reached just now. Please try again."
say agent-minutes "After the code, dial for how many minutes you want to rest, from 1 to 480."

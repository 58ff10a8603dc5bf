int answer = 42; // somebody else's library

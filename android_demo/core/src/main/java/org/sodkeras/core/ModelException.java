package org.sodkeras.core;

/** A model that cannot be used; the message is one sentence for the person who holds the phone. */
public final class ModelException extends Exception {
    private static final long serialVersionUID = 1;

    public ModelException(String message) {
        super(message);
    }

    public ModelException(String message, Throwable cause) {
        super(message, cause);
    }
}

package org.sodkeras.demo;

import android.content.Context;
import android.text.TextUtils;

/** Sentences that several screens show. */
final class Messages {
    private Messages() {}

    /** Why there is no model to run. */
    static String noModel(Context context, ModelStore models) {
        return context.getString(R.string.no_model) + "\n\n" + problems(models);
    }

    /** A paragraph for each bundled file that cannot be used. */
    static String problems(ModelStore models) {
        return TextUtils.join("\n\n", models.problems);
    }
}

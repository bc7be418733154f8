package org.sodkeras.demo;

import android.content.Context;
import android.view.View;
import android.widget.AdapterView;
import android.widget.ArrayAdapter;
import android.widget.Spinner;
import java.util.ArrayList;
import java.util.List;
import org.sodkeras.core.Look;

/** Fills spinners, and tells only of what a person chose. */
final class Choices {
    interface Listener {
        void onChosen(int index);
    }

    private Choices() {}

    static void fill(Spinner spinner, List<String> titles, int selected, final Listener listener) {
        Context context = spinner.getContext();
        ArrayAdapter<String> adapter = new ArrayAdapter<>(context, android.R.layout.simple_spinner_item, titles);
        adapter.setDropDownViewResource(android.R.layout.simple_spinner_dropdown_item);
        spinner.setOnItemSelectedListener(null);
        spinner.setAdapter(adapter);
        spinner.setSelection(selected, false);
        final int[] current = {selected};
        spinner.setOnItemSelectedListener(new AdapterView.OnItemSelectedListener() {
            @Override
            public void onItemSelected(AdapterView<?> parent, View view, int index, long id) {
                if (index != current[0]) { // Android tells of the first selection, too
                    current[0] = index;
                    listener.onChosen(index);
                }
            }

            @Override
            public void onNothingSelected(AdapterView<?> parent) {}
        });
    }

    static void fillLooks(Spinner spinner, Look selected, final Listener listener) {
        List<String> titles = new ArrayList<>();
        for (Look look : Look.values()) {
            titles.add(spinner.getContext().getString(title(look)));
        }
        fill(spinner, titles, selected.ordinal(), listener);
    }

    static int title(Look look) {
        switch (look) {
            case MAP:
                return R.string.look_map;
            case OVERLAY:
                return R.string.look_overlay;
            case CUT_OUT:
                return R.string.look_cut_out;
            case BLUR:
                return R.string.look_blur;
            default:
                return R.string.look_replace;
        }
    }
}

package org.sodkeras.demo;

import android.app.Activity;
import android.os.Build;
import android.os.Bundle;
import android.view.View;
import android.widget.Spinner;
import android.widget.TextView;
import java.util.ArrayList;
import java.util.List;
import org.sodkeras.core.Accelerator;

/** Model, numerics, threads and accelerator for all screens. A choice holds at once. */
public final class SettingsActivity extends Activity {
    private Demo demo;

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        setContentView(R.layout.settings);
        demo = Demo.of(this);
        boolean hasModel = !demo.models.models.isEmpty();
        findViewById(R.id.choices).setVisibility(hasModel ? View.VISIBLE : View.GONE);
        TextView problems = (TextView) findViewById(R.id.problems);
        problems.setText(hasModel ? Messages.problems(demo.models) : Messages.noModel(this, demo.models));
        if (hasModel) {
            fillNames();
            fillNumerics();
            fillThreads();
            fillAccelerators();
        }
    }

    private Spinner spinner(int id) {
        return (Spinner) findViewById(id);
    }

    private void choose(BundledModel model) {
        demo.settings.choose(model);
        showLicence();
    }

    /** The networks, after the choice to make none. */
    private void fillNames() {
        final List<String> names = new ArrayList<>();
        for (BundledModel each : demo.models.models) {
            if (!names.contains(each.metadata.name)) {
                names.add(each.metadata.name);
            }
        }
        names.add(0, getString(R.string.automatic));
        BundledModel model = demo.settings.chosenModel();
        int selected = model == null ? 0 : names.lastIndexOf(model.metadata.name);
        Choices.fill(spinner(R.id.model), names, selected, new Choices.Listener() {
            @Override
            public void onChosen(int index) {
                choose(index == 0 ? null : filesOf(names.get(index)).get(0));
                fillNumerics();
            }
        });
    }

    /** The files of a network: they differ in numerics, or in size. */
    private List<BundledModel> filesOf(String name) {
        List<BundledModel> files = new ArrayList<>();
        for (BundledModel each : demo.models.models) {
            if (each.metadata.name.equals(name)) {
                files.add(each);
            }
        }
        return files;
    }

    private void fillNumerics() {
        BundledModel model = demo.settings.chosenModel();
        int visibility = model == null ? View.GONE : View.VISIBLE;
        findViewById(R.id.numerics_title).setVisibility(visibility);
        findViewById(R.id.numerics).setVisibility(visibility);
        showLicence();
        if (model == null) {
            return;
        }
        final List<BundledModel> files = filesOf(model.metadata.name);
        List<String> titles = new ArrayList<>();
        for (BundledModel each : files) {
            titles.add(getString(
                    R.string.numerics_title,
                    each.metadata.numerics,
                    each.metadata.preprocessing.width,
                    each.metadata.preprocessing.height,
                    each.megabytes));
        }
        Choices.fill(spinner(R.id.numerics), titles, files.indexOf(model), new Choices.Listener() {
            @Override
            public void onChosen(int index) {
                choose(files.get(index));
            }
        });
    }

    private void showLicence() {
        BundledModel chosen = demo.settings.chosenModel();
        ((TextView) findViewById(R.id.licence)).setText(
                chosen != null
                        ? licence(chosen)
                        : use(R.string.for_photos, Use.PHOTO) + "\n" + use(R.string.for_live, Use.LIVE));
    }

    private String use(int text, Use use) {
        BundledModel model = demo.settings.model(use);
        return getString(text, model.file, licence(model));
    }

    private String licence(BundledModel model) {
        String licence = model.metadata.licence;
        return licence.isEmpty() ? getString(R.string.licence_unknown) : getString(R.string.licence, licence);
    }

    private void fillThreads() {
        List<String> titles = new ArrayList<>();
        for (int count = 1; count <= Settings.cores(); count++) {
            titles.add(String.valueOf(count));
        }
        Choices.fill(spinner(R.id.threads), titles, demo.settings.threads() - 1, new Choices.Listener() {
            @Override
            public void onChosen(int index) {
                demo.settings.chooseThreads(index + 1);
            }
        });
    }

    private void fillAccelerators() {
        final List<Accelerator> accelerators = new ArrayList<>();
        List<String> titles = new ArrayList<>();
        for (Accelerator each : Accelerator.values()) {
            if (Build.VERSION.SDK_INT >= each.lowestApi) {
                accelerators.add(each);
                titles.add(each.title);
            }
        }
        int selected = accelerators.indexOf(demo.settings.accelerator());
        Choices.fill(spinner(R.id.accelerator), titles, selected, new Choices.Listener() {
            @Override
            public void onChosen(int index) {
                demo.settings.choose(accelerators.get(index));
            }
        });
    }
}

namespace Akvam;

/// <content>What executes its guest code.</content>
public sealed unsafe partial class Vcpu
{
    private readonly Diagnostics.TranslationObservers? _observers;

    /// <summary>What its engine did so far, and which instructions it did not cover.</summary>
    public EngineReport EngineReport
    {
        get
        {
            lock (_gate)
            {
                return new EngineReport(_processor.Engine, State()->Retired, _processor.TranslatorStatistics);
            }
        }
    }
}

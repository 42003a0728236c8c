namespace Akvam.Debugger.Lockstep;

/// <summary>How the turns of a replay's window are divided, to find the place of a difference.</summary>
internal enum StepMode
{
    /// <summary>Not at all.</summary>
    Whole,

    /// <summary>After each block of the translator.</summary>
    Blocks,

    /// <summary>By kicks in quick succession: for differences that appear only when host code goes from block to block by itself.</summary>
    Free,
}
